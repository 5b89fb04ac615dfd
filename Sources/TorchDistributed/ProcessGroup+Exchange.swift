internal import CTorch
public import Torch

extension ProcessGroup {
  /// Starts to send each other rank a tensor and to receive one from it: what an all-gather, a reduce-scatter or a gather of
  /// parts of any size is made of, without the copies that Gloo's own collectives make.
  ///
  /// Exchanges that are under way at once are told apart by their order, which must be the same on all ranks.
  ///
  /// - Parameters:
  ///   - outgoing: what to send to each rank; nil, and empty tensors, for nothing. The own place does not count.
  ///   - incoming: where what each rank sends goes: contiguous tensors of the sizes that are sent.
  ///   - kind: what the watchdog calls it.
  public func startExchange(
    sending outgoing: [Tensor?], receiving incoming: [Tensor?], as kind: CollectiveActivity.Kind
  ) throws(DistributedError) -> [Work] {
    precondition(outgoing.count == size && incoming.count == size, "an exchange has a place for each rank")
    try check((outgoing + incoming).compactMap { $0 }, kind.label)
    let tag = Int32(exchangeCount % (1 << 30))
    exchangeCount += 1
    var works: [Work] = []
    // Whoever receives first need not keep what comes early.
    for rank in others {
      guard let tensor = incoming[rank], tensor.count > 0 else { continue }
      works.append(
        try work(
          ct_receive(handle, tensor.handle, Int32(rank), tag), kind, "\(kind.label): \(tensor.shape) from rank \(rank)",
          [tensor]))
    }
    for rank in others {
      guard let tensor = outgoing[rank], tensor.count > 0 else { continue }
      works.append(
        try work(
          ct_send(handle, tensor.handle, Int32(rank), tag), kind, "\(kind.label): \(tensor.shape) to rank \(rank)",
          [tensor]))
    }
    return works
  }

  /// The other ranks, beginning behind this one, so that not all turn to the same.
  private var others: [Int] { (1..<max(1, size)).map { (rank + $0) % size } }
}

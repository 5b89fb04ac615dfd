public import Torch

extension ProcessGroup {
  /// Starts to send each other rank a tensor and to receive one from it: what an all-gather, a reduce-scatter or a gather of
  /// parts of any size is made of, without the copies that Gloo's own collectives make.
  ///
  /// Exchanges that are under way at once are told apart by their order, which must be the same on all ranks, and by their
  /// subject: ranks with different ones do not receive what was meant for another.
  ///
  /// - Parameters:
  ///   - outgoing: what to send to each rank; nil, and empty tensors, for nothing. The own place does not count.
  ///   - incoming: where what each rank sends goes: contiguous tensors of the sizes that are sent.
  ///   - kind: what the watchdog calls it.
  ///   - subject: a number for what is sent, at least 0.
  public func startExchange(
    sending outgoing: [Tensor?], receiving incoming: [Tensor?], as kind: CollectiveActivity.Kind, subject: Int = 0
  ) throws(DistributedError) -> [Work] {
    precondition(outgoing.count == size && incoming.count == size, "an exchange has a place for each rank")
    try check((outgoing + incoming).compactMap { $0 }, kind.label)
    let tag = exchangeCount % (1 << 14) << 16 | subject % (1 << 16)
    exchangeCount += 1
    // Whoever receives first need not keep what comes early.
    var operations: [PointToPoint] = []
    for rank in others {
      if let tensor = incoming[rank], tensor.count > 0 { operations.append(.receive(tensor, from: rank, tag: tag)) }
    }
    for rank in others {
      if let tensor = outgoing[rank], tensor.count > 0 { operations.append(.send(tensor, to: rank, tag: tag)) }
    }
    return try startTogether(operations, as: kind)
  }

  /// The other ranks, beginning behind this one, so that not all turn to the same.
  private var others: [Int] { (1..<max(1, size)).map { (rank + $0) % size } }
}

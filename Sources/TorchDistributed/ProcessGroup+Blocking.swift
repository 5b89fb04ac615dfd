internal import CTorch
public import Torch

extension ProcessGroup {
  /// Replaces `tensor` on every rank by the reduction over all of them.
  public func allReduce(_ tensor: Tensor, by operation: ReduceOperation = .sum) throws(DistributedError) {
    try startAllReduce(tensor, by: operation).wait()
  }

  /// Replaces `tensor` on every rank by that of `source`.
  public func broadcast(_ tensor: Tensor, from source: Int = 0) throws(DistributedError) {
    try startBroadcast(tensor, from: source).wait()
  }

  /// Replaces all tensors by those of `source`, packed into few messages.
  public func broadcast(_ tensors: [Tensor], from source: Int = 0) throws(DistributedError) {
    guard !tensors.isEmpty else { return }
    try check(tensors, "broadcast")
    let handles = tensors.map(\.handle) as [OpaquePointer?]
    activity.enter(.broadcast)
    let succeeded = withoutGradients {
      ct_broadcast_coalesced(handle, handles, handles.count, 250 << 20, Int32(source))
    }
    withExtendedLifetime(tensors) {}
    guard succeeded else { throw .last("broadcast of \(tensors.count) tensors", rank: rank) }
    activity.leave()
  }

  public func reduceScatter(
    into output: Tensor, from input: Tensor, by operation: ReduceOperation = .sum
  ) throws(DistributedError) {
    try startReduceScatter(into: output, from: input, by: operation).wait()
  }

  public func allGather(into output: Tensor, from input: Tensor) throws(DistributedError) {
    try startAllGather(into: output, from: input).wait()
  }

  /// The tensors of all ranks, in rank order. Their first dimensions may differ; the rest must agree.
  public func allGather(_ tensor: Tensor) throws(DistributedError) -> [Tensor] {
    try check([tensor], "all-gather")
    guard tensor.ndim > 0 else { return try allGather(tensor.reshaped(1)).map { $0.reshaped([]) } }
    return try gatherRows(tensor).parts
  }

  /// Gathers tensors of at least one dimension, the first one padded to the longest.
  func gatherRows(_ tensor: Tensor) throws(DistributedError) -> GatheredRows {
    let input = tensor.detached().contiguous()
    let lengths = Tensor.zeros([size], dtype: .int64)
    try allGather(into: lengths, from: Tensor([input.size(0)]))
    guard let counts = try? lengths.array(as: Int.self), let longest = counts.max() else {
      throw DistributedError(operation: "all-gather", rank: rank, message: "the lengths did not arrive")
    }
    let rest = Array(input.shape.dropFirst())
    let padded =
      input.size(0) == longest ? input : Tensor.zeros([longest] + rest, dtype: input.dtype, device: input.device)
    if input.size(0) < longest { padded[0..<input.size(0)].copy(from: input) }
    let output = Tensor.empty([size * longest] + rest, dtype: input.dtype, device: input.device)
    if longest > 0 { try allGather(into: output, from: padded) }
    return GatheredRows(output: output, counts: counts, longest: longest)
  }

  /// Returns on every rank when all have come here.
  public func barrier() throws(DistributedError) {
    try work(ct_barrier(handle), .barrier, "barrier", []).wait()
  }

  /// The bytes of `source`, on every rank.
  public func broadcast(bytes: [UInt8], from source: Int = 0) throws(DistributedError) -> [UInt8] {
    let length = Tensor([rank == source ? bytes.count : 0])
    try broadcast(length, from: source)
    let count = (try? length.integer()) ?? 0
    guard count > 0 else { return [] }
    let content = rank == source ? Tensor(bytes) : Tensor.empty([count], dtype: .uint8)
    try broadcast(content, from: source)
    return (try? content.array(as: UInt8.self)) ?? []
  }

  /// The bytes of every rank, in rank order.
  public func allGather(bytes: [UInt8]) throws(DistributedError) -> [[UInt8]] {
    try allGather(Tensor(bytes)).map { (try? $0.array(as: UInt8.self)) ?? [] }
  }
}

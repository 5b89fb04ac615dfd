public import Torch

/// Collectives through which gradients flow. All ranks that took part in one must also run its backward, which is a
/// collective too.
extension ProcessGroup {
  /// The sum of `tensor` over the ranks, as a new tensor. Backward sums the gradients over the ranks.
  ///
  /// See `torch.distributed.nn.functional.all_reduce`.
  public func allReduceSum(_ tensor: Tensor) throws(DistributedError) -> Tensor {
    try check([tensor], "all-reduce")
    let sum = withoutGradients { tensor.detached().contiguous().clone() }
    try allReduce(sum)
    Tensor.record("AllReduceSum", outputs: [sum], of: [tensor]) { [self] step in
      [try step.gradients[0].map { try allReduceSum($0) }]
    }
    return sum
  }

  /// The tensors of all ranks, in rank order, like ``allGather(_:)``; their first dimensions may differ.
  ///
  /// - Parameter syncGradients: whether gradients flow back: each rank gets, for its own tensor, the sum of the gradients
  ///   that all ranks have for it. Without, the results have no history.
  public func allGather(_ tensor: Tensor, syncGradients: Bool) throws(DistributedError) -> [Tensor] {
    guard syncGradients else { return try allGather(tensor) }
    try check([tensor], "all-gather")
    guard tensor.ndim > 0 else {
      return try allGather(tensor.reshaped(1), syncGradients: true).map { $0.reshaped([]) }
    }
    let rows = try gatherRows(tensor)
    let (own, start) = (rows.counts[rank], rank * rows.longest)
    Tensor.record("AllGather", outputs: [rows.output], of: [tensor]) { [self] step in
      guard let gradient = step.gradients[0] else { return [nil] }
      return [try allReduceSum(gradient).narrowed(dim: 0, start: start, length: own)]
    }
    return rows.parts
  }
}

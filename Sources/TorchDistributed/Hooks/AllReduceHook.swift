internal import Torch

/// The mean over the ranks, as `ddp` computes it without a hook.
///
/// See PyTorch's `default_hooks.allreduce_hook`.
public struct AllReduceHook: CommunicationHook {
  public init() {}

  public var name: String { "allReduce" }

  public func callAsFunction(_ bucket: GradientBucket, in group: ProcessGroup) throws -> PendingTensor {
    try Self.mean(of: bucket.buffer, in: group)
  }

  /// Begins to replace a tensor by its mean. Divides before it adds, so that half-width types do not overflow.
  static func mean(of tensor: Tensor, in group: ProcessGroup) throws -> PendingTensor {
    if group.size > 1 { tensor.divide(by: Scalar(group.size)) }
    return try group.pendingAllReduce(tensor)
  }
}

extension CommunicationHook where Self == AllReduceHook {
  /// The mean over the ranks; see ``AllReduceHook``.
  public static var allReduce: AllReduceHook { AllReduceHook() }
}

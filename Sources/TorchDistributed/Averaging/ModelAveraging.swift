public import Torch

/// Brings the models of the ranks together after steps of the optimizer, where gradients are not averaged in each step.
///
/// See ``PostLocalSGDHook``.
public protocol ModelAveraging: AnyObject {
  /// Steps so far. Part of checkpoints.
  var step: Int { get set }

  /// Called on all ranks before the first step of a fit.
  ///
  /// - Throws: ``CommunicationHookError`` for options that do not go with this number of ranks.
  func prepare(in group: ProcessGroup) throws

  /// Called on all ranks after each step of an optimizer: averages the parameters when it is time.
  ///
  /// - Returns: whether they are equal on all ranks now.
  func average(_ parameters: [Tensor], in group: ProcessGroup) throws -> Bool
}

extension ProcessGroup {
  /// Replaces tensors by their means over the ranks, packed into few messages. Takes memory for a copy of some of them.
  public func average(_ tensors: [Tensor], bucketByteCount: Int = 25 << 20) throws {
    guard size > 1 else { return }
    try withoutGradients {
      var bucket: [Tensor] = []
      var bytes = 0
      for tensor in tensors {
        if let first = bucket.first,
          first.dtype != tensor.dtype || first.device != tensor.device || bytes + tensor.byteCount > bucketByteCount
        {
          try averageTogether(bucket)
          bucket = []
          bytes = 0
        }
        bucket.append(tensor)
        bytes += tensor.byteCount
      }
      if !bucket.isEmpty { try averageTogether(bucket) }
    }
  }

  private func averageTogether(_ tensors: [Tensor]) throws {
    let flat = Tensor.cat(tensors.map { $0.detached().reshaped(-1) })
    flat.divide(by: Scalar(size))
    try allReduce(flat)
    var start = 0
    for tensor in tensors {
      tensor.detached().copy(from: flat.narrowed(dim: 0, start: start, length: tensor.count).view(tensor.shape))
      start += tensor.count
    }
  }
}

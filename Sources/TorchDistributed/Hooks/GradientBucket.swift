public import Torch

/// Gradients that are reduced together, complete on this rank.
///
/// See PyTorch's `torch.distributed.GradBucket`.
public struct GradientBucket {
  /// The number of the bucket, from 0; bucket 0 is reduced first. After the first step c10d arranges the buckets anew, in
  /// the order in which gradients became ready.
  public let index: Int
  /// Whether no other bucket follows in this backward.
  public let isLast: Bool
  /// All gradients, one after the other, in one dimension. A hook may use its memory.
  public let buffer: Tensor
  /// The parameters, in the order of their gradients.
  public let parameters: [Tensor]
  /// Their names in the module.
  public let names: [String]

  public init(index: Int, isLast: Bool, buffer: Tensor, parameters: [Tensor], names: [String]) {
    self.index = index
    self.isLast = isLast
    self.buffer = buffer
    self.parameters = parameters
    self.names = names
  }

  /// Views of the buffer in the shapes of the parameters.
  public var gradients: [Tensor] {
    var start = 0
    return parameters.map { parameter in
      let count = parameter.count
      defer { start += count }
      return buffer.narrowed(dim: 0, start: start, length: count).view(parameter.shape)
    }
  }

  /// The same gradients in another buffer.
  public func with(_ buffer: Tensor) -> GradientBucket {
    GradientBucket(index: index, isLast: isLast, buffer: buffer, parameters: parameters, names: names)
  }
}

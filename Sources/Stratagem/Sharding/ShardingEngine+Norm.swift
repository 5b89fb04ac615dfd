public import Torch
internal import TorchDistributed
public import TorchNN

/// The norm of gradients that are in parts.
extension ShardingEngine {
  /// The norm of the gradients of some parameters over all ranks, taken as one vector: 0-dimensional. Called on all ranks.
  ///
  /// Each element counts once, however many ranks have it.
  ///
  /// - Parameter order: 2 for the Euclidean norm, `.infinity` for the largest absolute value, or any p above 0.
  /// - Throws: `ShardStoreError` where gradients are kept on disk and cannot be read.
  public func gradientNorm(of parameters: [AnyParameter], order: Double = 2) throws -> Tensor {
    try withoutGradients {
      var shared: [Tensor] = []
      var whole: [Tensor] = []
      var stored = Tensor.zeros([], dtype: .float64)
      var storedType: DType?
      for parameter in parameters {
        if let gradient = parameter.offloadedGradient {
          try gradient.forEachPart {
            stored = Self.combine(stored, Self.power([$0], order), order)
            storedType = $0.dtype
          }
        }
        guard let gradient = parameter.gradient, gradient.count > 0 else { continue }
        if places[ObjectIdentifier(parameter)] == nil { whole.append(gradient) } else { shared.append(gradient) }
      }
      let own = Self.power(shared, order)
      // A rank without a gradient of its own takes part on the same device.
      let home = units.first.map { ($0.shard ?? $0.full).device } ?? own.device
      var sum = Self.combine(own, stored.to(own.device), order).to(home)
      if let group = groups.reducing { try group.allReduce(sum, by: order == .infinity ? .maximum : .sum) }
      sum = Self.combine(sum, Self.power(whole, order).to(sum.device), order)
      let norm = order == .infinity ? sum : Aten.pow(sum, exponent: Scalar(1 / order))
      return norm.to(shared.first?.dtype ?? storedType ?? .float32)
    }
  }

  private static func power(_ tensors: [Tensor], _ order: Double) -> Tensor {
    guard let first = tensors.first else { return .zeros([], dtype: .float64) }
    let norms = Aten.stack(Aten._foreach_norm(tensors, ord: Scalar(order)).map { $0.to(first.device) }).to(.float64)
    return order == .infinity ? Aten.amax(norms) : Aten.pow(norms, exponent: Scalar(order)).sum()
  }

  private static func combine(_ first: Tensor, _ second: Tensor, _ order: Double) -> Tensor {
    order == .infinity ? Aten.maximum(first, other: second) : first + second
  }
}

public import Torch
public import TorchNN

/// Limits gradients before a step, as `torch.nn.utils.clip_grad_norm_` and `clip_grad_value_` do.
public enum GradientClipping {
  /// Scales all gradients so that their total norm is at most `maximum`.
  ///
  /// The norm is that of all gradients taken as one vector; the factor is min(1, maximum / (norm + 1e-6)). Parameters
  /// without a gradient do not count.
  ///
  /// - Parameters:
  ///   - parameters: whose gradients to scale in place.
  ///   - maximum: the largest total norm to leave; at least 0.
  ///   - order: 2 for the Euclidean norm, `.infinity` for the largest absolute value, or any p above 0.
  ///   - errorIfNonFinite: record an error, and leave the gradients alone, when the norm is infinite or not a number.
  /// - Returns: the total norm before scaling, 0-dimensional.
  @discardableResult
  public static func clipNorm(
    _ parameters: [AnyParameter], maximum: Double, order: Double = 2, errorIfNonFinite: Bool = false
  ) -> Tensor {
    withoutGradients {
      let gradients = parameters.compactMap(\.gradient)
      let norm = totalNorm(gradients, order: order)
      if errorIfNonFinite, let value = try? norm.scalar(), !value.isFinite {
        return Tensor.failed(
          operation: "clipNorm",
          message: "the total norm of the gradients is \(value), so they cannot be clipped to \(maximum); "
            + "pass errorIfNonFinite: false to scale them anyway")
      }
      scale(gradients, toNorm: maximum, from: norm)
      return norm
    }
  }

  /// Limits every element of every gradient to -maximum...maximum.
  public static func clipValue(_ parameters: [AnyParameter], maximum: Double) {
    withoutGradients {
      for parameter in parameters {
        parameter.offloadedGradient?.apply { Aten.clamp_($0, min: Scalar(-maximum), max: Scalar(maximum)) }
      }
      let gradients = parameters.compactMap(\.gradient)
      guard !gradients.isEmpty else { return }
      Aten._foreach_clamp_min_(gradients, scalar: Scalar(-maximum))
      Aten._foreach_clamp_max_(gradients, scalar: Scalar(maximum))
    }
  }

  /// The norm of several tensors taken as one vector, 0-dimensional, on the first tensor's device; 0 for none.
  public static func totalNorm(_ tensors: [Tensor], order: Double = 2) -> Tensor {
    guard let first = tensors.first else { return Tensor(0) }
    return withoutGradients {
      let device = first.device
      let norms = Aten._foreach_norm(tensors, ord: Scalar(order)).map { $0.device == device ? $0 : $0.to(device) }
      return Aten.linalg_vector_norm(Aten.stack(norms), ord: Scalar(order))
    }
  }

  /// min(1, maximum / (norm + 1e-6)).
  package static func factor(toNorm maximum: Double, from norm: Tensor) -> Tensor {
    withoutGradients {
      let ratio = Aten.mul(Aten.reciprocal(Aten.add(norm, other: Scalar(1e-6))), other: Scalar(maximum))
      return Aten.clamp_max(ratio, max: 1)
    }
  }

  /// Multiplies tensors in place by min(1, maximum / (norm + 1e-6)), whoever computed the norm.
  public static func scale(_ tensors: [Tensor], toNorm maximum: Double, from norm: Tensor) {
    guard let first = tensors.first else { return }
    withoutGradients {
      let factor = factor(toNorm: maximum, from: norm)
      let device = first.device
      if tensors.allSatisfy({ $0.device == device }) {
        Aten._foreach_mul_(tensors, other: factor.device == device ? factor : factor.to(device))
      } else {
        for tensor in tensors { Aten.mul_(tensor, other: factor.to(tensor.device)) }
      }
    }
  }
}

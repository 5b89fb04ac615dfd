package import Torch
internal import TorchNN

extension Optimizer {
  /// Looks at gradients that are not in memory for one that is not finite; they are unscaled when they are read.
  ///
  /// - Parameter inverse: what they are multiplied by, a float32 of one element.
  /// - Returns: a number that is not 0 when one was found; none without such gradients.
  package final func unscaleOffloadedGradients(by inverse: Tensor) throws -> [Tensor] {
    let gradients = parameters.compactMap(\.offloadedGradient).filter(\.isPresent)
    guard !gradients.isEmpty else { return [] }
    let inverse = inverse.to(.cpu)
    let found = Tensor.zeros([], dtype: .float32)
    try withoutGradients {
      for gradient in gradients {
        try gradient.forEachPart {
          Aten._amp_foreach_non_finite_check_and_unscale_([$0], found_inf: found, inv_scale: inverse)
        }
        gradient.apply { $0.multiply(by: inverse.to($0.dtype)) }
      }
    }
    return [found]
  }
}

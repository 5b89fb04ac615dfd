public import Torch

/// Normalizes the last dimensions to mean 0 and variance 1, then scales and shifts (Ba et al., 2016).
///
/// y = (x - mean) / √(variance + epsilon) · weight + bias; `weight` (1) and `bias` (0) have the normalized shape.
public final class LayerNorm: Layer<Tensor, Tensor> {
  @Parameter public var weight: Tensor?
  @Parameter public var bias: Tensor?
  private let normalizedShape: [Int]
  private let epsilon: Double

  /// Creates a layer that normalizes over the last dimensions, those of `normalizedShape`.
  ///
  /// - Parameters:
  ///   - affine: whether there is a weight and, with `bias`, a bias.
  ///   - bias: whether there is a bias.
  public init(_ normalizedShape: [Int], epsilon: Double = 1e-5, affine: Bool = true, bias: Bool = true) {
    self.normalizedShape = normalizedShape
    self.epsilon = epsilon
    weight = affine ? .ones(normalizedShape) : nil
    self.bias = affine && bias ? .zeros(normalizedShape) : nil
  }

  /// Creates a layer that normalizes over the last dimension, of `width` elements.
  public convenience init(_ width: Int, epsilon: Double = 1e-5, affine: Bool = true, bias: Bool = true) {
    self.init([width], epsilon: epsilon, affine: affine, bias: bias)
  }

  public override func forward(_ input: Tensor) -> Tensor {
    Aten.layer_norm(input, normalized_shape: normalizedShape, weight: weight, bias: bias, eps: epsilon)
  }

  public override var extraDescription: String {
    "\(normalizedShape), epsilon: \(epsilon), affine: \($weight.isPresent)"
  }
}

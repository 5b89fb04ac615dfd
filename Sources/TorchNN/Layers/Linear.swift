public import Torch

/// An affine map of the last dimension: `input` · `weight`ᵀ + `bias`.
///
/// `weight` has shape [outFeatures, inFeatures], `bias` [outFeatures]; both are drawn from U(-b, b) with
/// b = 1 / √inFeatures. [..., inFeatures] becomes [..., outFeatures].
open class Linear: Layer<Tensor, Tensor> {
  @Parameter public final var weight: Tensor
  @Parameter public final var bias: Tensor?

  /// Creates a layer with random weights.
  ///
  /// - Parameter bias: whether to add a bias.
  public init(_ inFeatures: Int, _ outFeatures: Int, bias: Bool = true) {
    weight = Initializer.layerWeight([outFeatures, inFeatures])
    self.bias = bias ? Initializer.layerBias(fanIn: inFeatures)([outFeatures]) : nil
  }

  open override func forward(_ input: Tensor) -> Tensor {
    input.linear(weight, bias)
  }

  open override var extraDescription: String {
    let shape = $weight.shape
    return "inFeatures: \(shape[1]), outFeatures: \(shape[0]), bias: \($bias.isPresent)"
  }
}

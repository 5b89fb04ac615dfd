public import Torch

/// Normalizes groups of channels of [N, C, ...] to mean 0 and variance 1, then scales and shifts each channel
/// (Wu and He, 2018).
///
/// `weight` (1) and `bias` (0) have shape [C].
public final class GroupNorm: Layer<Tensor, Tensor> {
  @Parameter public var weight: Tensor?
  @Parameter public var bias: Tensor?
  private let numGroups: Int
  private let numChannels: Int
  private let epsilon: Double

  /// Creates a layer for `numChannels` channels in `numGroups` groups of equal size.
  public init(_ numGroups: Int, _ numChannels: Int, epsilon: Double = 1e-5, affine: Bool = true) {
    self.numGroups = numGroups
    self.numChannels = numChannels
    self.epsilon = epsilon
    weight = affine ? .ones([numChannels]) : nil
    bias = affine ? .zeros([numChannels]) : nil
  }

  public override func forward(_ input: Tensor) -> Tensor {
    Aten.group_norm(input, num_groups: numGroups, weight: weight, bias: bias, eps: epsilon)
  }

  public override var extraDescription: String {
    "\(numGroups), \(numChannels), epsilon: \(epsilon), affine: \($weight.isPresent)"
  }
}

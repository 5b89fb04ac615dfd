public import Torch

/// A convolution of signals of one spatial dimension, [N, C, L].
///
/// `weight` has shape [outChannels, inChannels / groups] + kernelSize, `bias` [outChannels]; both are drawn from
/// U(-b, b) with b = 1 / √fanIn, fanIn = inChannels / groups times the kernel's elements.
open class Conv1d: Layer<Tensor, Tensor> {
  @Parameter public final var weight: Tensor
  @Parameter public final var bias: Tensor?
  private let stride: [Int]
  private let padding: [Int]
  private let dilation: [Int]
  private let groups: Int

  /// Creates a layer with random weights.
  ///
  /// - Parameters:
  ///   - stride: the step of the kernel.
  ///   - padding: zeros added at both ends of each dimension.
  ///   - dilation: the distance of the kernel's elements.
  ///   - groups: the number of groups of channels that are convolved separately; divides both numbers of channels.
  ///   - bias: whether to add a bias.
  public init(
    _ inChannels: Int, _ outChannels: Int, kernelSize: some SpatialSize, stride: some SpatialSize = 1,
    padding: some SpatialSize = 0, dilation: some SpatialSize = 1, groups: Int = 1, bias: Bool = true
  ) {
    self.stride = stride.sizes(1)
    self.padding = padding.sizes(1)
    self.dilation = dilation.sizes(1)
    self.groups = groups
    let shape = [outChannels, inChannels / max(groups, 1)] + kernelSize.sizes(1)
    let fanIn = shape.dropFirst().reduce(1, *)
    if groups < 1 || inChannels % groups != 0 || outChannels % groups != 0 {
      weight = .failed(
        operation: "Conv1d",
        message: "groups \(groups) must divide inChannels \(inChannels) and outChannels \(outChannels)")
      self.bias = nil
      return
    }
    weight = Initializer.layerWeight(shape)
    self.bias = bias ? Initializer.layerBias(fanIn: fanIn)([outChannels]) : nil
  }

  open override func forward(_ input: Tensor) -> Tensor {
    Aten.conv1d(
      input, weight: weight, bias: bias, stride: stride, padding: padding, dilation: dilation, groups: groups)
  }

  open override var extraDescription: String {
    let shape = $weight.shape
    var text = "\(shape[1] * groups), \(shape[0]), kernelSize: \(Array(shape[2...]).briefly), stride: \(stride.briefly)"
    if padding.contains(where: { $0 != 0 }) { text += ", padding: \(padding.briefly)" }
    if dilation.contains(where: { $0 != 1 }) { text += ", dilation: \(dilation.briefly)" }
    if groups != 1 { text += ", groups: \(groups)" }
    return $bias.isPresent ? text : text + ", bias: false"
  }
}

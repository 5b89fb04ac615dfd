public import Torch

/// The largest element of each window of [N, C, H, W].
public final class MaxPool2d: Layer<Tensor, Tensor> {
  private let kernelSize: [Int]
  private let stride: [Int]
  private let padding: [Int]
  private let dilation: [Int]
  private let ceilMode: Bool

  /// Creates a layer with windows of `kernelSize`.
  ///
  /// - Parameters:
  ///   - stride: the step of the window; `nil` for its size.
  ///   - padding: elements of minus infinity added at both ends of each dimension.
  ///   - dilation: the distance of the window's elements.
  ///   - ceilMode: whether a window may reach beyond the end.
  public init(
    _ kernelSize: some SpatialSize, stride: (any SpatialSize)? = nil, padding: some SpatialSize = 0,
    dilation: some SpatialSize = 1, ceilMode: Bool = false
  ) {
    self.kernelSize = kernelSize.sizes(2)
    self.stride = stride?.sizes(2) ?? self.kernelSize
    self.padding = padding.sizes(2)
    self.dilation = dilation.sizes(2)
    self.ceilMode = ceilMode
  }

  public override func forward(_ input: Tensor) -> Tensor {
    Aten.max_pool2d(
      input, kernel_size: kernelSize, stride: stride, padding: padding, dilation: dilation, ceil_mode: ceilMode)
  }

  public override var extraDescription: String {
    """
    kernelSize: \(kernelSize.briefly), stride: \(stride.briefly), padding: \(padding.briefly), \
    dilation: \(dilation.briefly), ceilMode: \(ceilMode)
    """
  }
}

public import Torch

/// The mean of each window of [N, C, H, W].
public final class AvgPool2d: Layer<Tensor, Tensor> {
  private let kernelSize: [Int]
  private let stride: [Int]
  private let padding: [Int]
  private let ceilMode: Bool
  private let countIncludePad: Bool

  /// Creates a layer with windows of `kernelSize`.
  ///
  /// - Parameters:
  ///   - stride: the step of the window; `nil` for its size.
  ///   - padding: zeros added at both ends of each dimension.
  ///   - ceilMode: whether a window may reach beyond the end.
  ///   - countIncludePad: whether the zeros of the padding count in the mean.
  public init(
    _ kernelSize: some SpatialSize, stride: (any SpatialSize)? = nil, padding: some SpatialSize = 0,
    ceilMode: Bool = false, countIncludePad: Bool = true
  ) {
    self.kernelSize = kernelSize.sizes(2)
    self.stride = stride?.sizes(2) ?? self.kernelSize
    self.padding = padding.sizes(2)
    self.ceilMode = ceilMode
    self.countIncludePad = countIncludePad
  }

  public override func forward(_ input: Tensor) -> Tensor {
    Aten.avg_pool2d(
      input, kernel_size: kernelSize, stride: stride, padding: padding, ceil_mode: ceilMode,
      count_include_pad: countIncludePad)
  }

  public override var extraDescription: String {
    "kernelSize: \(kernelSize.briefly), stride: \(stride.briefly), padding: \(padding.briefly)"
  }
}

public import Torch

/// The means of as many windows of [N, C, H, W] as make the output [N, C] + outputSize.
public final class AdaptiveAvgPool2d: Layer<Tensor, Tensor> {
  private let outputSize: [Int]

  /// Creates a layer with the spatial size of its output.
  public init(_ outputSize: some SpatialSize) {
    self.outputSize = outputSize.sizes(2)
  }

  public override func forward(_ input: Tensor) -> Tensor { Aten.adaptive_avg_pool2d(input, output_size: outputSize) }

  public override var extraDescription: String { "outputSize: \(outputSize.briefly)" }
}

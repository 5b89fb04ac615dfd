/// Batch normalization of [N, C, H, W] (Ioffe and Szegedy, 2015).
public final class BatchNorm2d: BatchNorm {
  override func complaint(dimensions: Int) -> String? {
    dimensions == 4 ? nil : "expected an input [N, C, H, W], found \(dimensions) dimensions"
  }
}

/// Batch normalization of [N, C] or [N, C, L] (Ioffe and Szegedy, 2015).
public final class BatchNorm1d: BatchNorm {
  override func complaint(dimensions: Int) -> String? {
    (2...3).contains(dimensions) ? nil : "expected an input [N, C] or [N, C, L], found \(dimensions) dimensions"
  }
}

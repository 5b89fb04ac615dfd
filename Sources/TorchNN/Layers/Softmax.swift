public import Torch

/// exp(x) / Σ exp(x) along one dimension.
public final class Softmax: Layer<Tensor, Tensor> {
  private let dim: Int

  /// Creates a layer that normalizes along `dim`; negative ones count from the last.
  public init(dim: Int) {
    self.dim = dim
  }

  public override func forward(_ input: Tensor) -> Tensor { Aten.softmax(input, dim: dim) }

  public override var extraDescription: String { "dim: \(dim)" }
}

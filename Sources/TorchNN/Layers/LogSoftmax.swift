public import Torch

/// The logarithm of `Softmax`, computed without overflow.
public final class LogSoftmax: Layer<Tensor, Tensor> {
  private let dim: Int

  /// Creates a layer that normalizes along `dim`; negative ones count from the last.
  public init(dim: Int) {
    self.dim = dim
  }

  public override func forward(_ input: Tensor) -> Tensor { Aten.log_softmax(input, dim: dim) }

  public override var extraDescription: String { "dim: \(dim)" }
}

public import Torch

/// x · Φ(x), Φ the standard normal distribution function (Hendrycks and Gimpel, 2016).
public final class GELU: Layer<Tensor, Tensor> {
  private let approximation: Functional.GELUApproximation

  /// Creates a layer that computes the function exactly, or by its approximation with tanh.
  public init(approximation: Functional.GELUApproximation = .none) {
    self.approximation = approximation
  }

  public override func forward(_ input: Tensor) -> Tensor { Functional.gelu(input, approximation: approximation) }

  public override var extraDescription: String { "approximation: \(approximation)" }
}

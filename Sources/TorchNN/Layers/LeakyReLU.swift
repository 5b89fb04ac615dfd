public import Torch

/// max(0, x) + slope · min(0, x).
public final class LeakyReLU: Layer<Tensor, Tensor> {
  private let slope: Double

  /// Creates a layer with the slope of its negative side.
  public init(_ slope: Double = 0.01) {
    self.slope = slope
  }

  public override func forward(_ input: Tensor) -> Tensor { Functional.leakyReLU(input, slope: slope) }

  public override var extraDescription: String { "\(slope)" }
}

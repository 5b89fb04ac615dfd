public import Torch

/// Sets each element to zero with a probability, and scales the others up, while training (Srivastava et al., 2014).
public final class Dropout: Layer<Tensor, Tensor> {
  private let probability: Double

  /// Creates a layer that drops elements with `probability`, 0...1.
  public init(_ probability: Double = 0.5) {
    self.probability = probability
  }

  public override func forward(_ input: Tensor) -> Tensor {
    Aten.dropout(input, p: probability, train: isTraining)
  }

  public override var extraDescription: String { "\(probability)" }
}

public import Torch

/// 1 / (1 + exp(-x)).
public final class Sigmoid: Layer<Tensor, Tensor> {
  public override func forward(_ input: Tensor) -> Tensor { Aten.sigmoid(input) }
}

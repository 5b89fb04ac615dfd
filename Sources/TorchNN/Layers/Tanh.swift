public import Torch

/// tanh(x).
public final class Tanh: Layer<Tensor, Tensor> {
  public override func forward(_ input: Tensor) -> Tensor { Aten.tanh(input) }
}

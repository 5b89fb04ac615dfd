public import Torch

/// max(0, x).
public final class ReLU: Layer<Tensor, Tensor> {
  public override func forward(_ input: Tensor) -> Tensor { Aten.relu(input) }
}

public import Torch

/// x · σ(x), also called swish.
public final class SiLU: Layer<Tensor, Tensor> {
  public override func forward(_ input: Tensor) -> Tensor { Aten.silu(input) }
}

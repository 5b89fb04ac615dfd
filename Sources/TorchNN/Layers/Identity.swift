public import Torch

/// Returns its input.
public final class Identity: Layer<Tensor, Tensor> {
  public override func forward(_ input: Tensor) -> Tensor { input }
}

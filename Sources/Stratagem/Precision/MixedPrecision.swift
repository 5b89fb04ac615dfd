internal import Torch

/// Parameters and optimizer in float32; matrix products and convolutions in bfloat16 by autocast.
///
/// bfloat16 has the exponents of float32, so that no loss scaling is needed. See PyTorch's `torch.autocast`.
public final class MixedPrecision: Precision {
  public override func forward<Result>(_ body: () throws -> Result) rethrows -> Result {
    try withAutocast(to: .bfloat16, on: deviceKind, body)
  }
}

public import Torch
public import TorchNN

/// Parameters, inputs and arithmetic in one type other than float32.
public final class TruePrecision: Precision {
  private let dtype: DType

  init(_ kind: PrecisionKind, dtype: DType) {
    self.dtype = dtype
    super.init(kind)
  }

  public override var inputType: DType? { dtype }

  public override func convert(_ module: Module) { module.to(dtype) }
}

public import Torch
public import TorchNN

/// Parameters, inputs and arithmetic in one type other than float32, which is also the type of tensors that the module's
/// steps make without naming one.
///
/// See Lightning's `DoublePrecision` and `HalfPrecision`.
open class TruePrecision: Precision {
  /// The type.
  public let dtype: DType

  /// - Parameter dtype: `.float64`, `.bfloat16` or `.float16`.
  public convenience init(_ dtype: DType) throws(ConfigurationError) {
    switch dtype {
    case .float64: self.init(.float64, dtype)
    case .bfloat16: self.init(.bfloat16, dtype)
    case .float16: self.init(.float16, dtype)
    default:
      throw ConfigurationError(
        "precision", "there is no precision that computes in \(dtype) alone",
        suggestion: dtype == .float32 ? "use Precision()" : "give .float64, .bfloat16 or .float16")
    }
  }

  init(_ kind: PrecisionKind, _ dtype: DType) {
    self.dtype = dtype
    super.init(kind)
  }

  open override var inputType: DType? { dtype }

  open override func convert(_ module: Module) { module.to(dtype) }

  open override func forward<Result>(_ body: () throws -> Result) rethrows -> Result {
    try withDefaultDType(dtype, body)
  }
}

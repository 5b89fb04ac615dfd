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
  public init(_ dtype: DType) throws(ConfigurationError) {
    let kind: PrecisionKind
    switch dtype {
    case .float64: kind = .float64
    case .bfloat16: kind = .bfloat16
    case .float16: kind = .float16
    default:
      throw ConfigurationError(
        "precision", "there is no precision that computes in \(dtype) alone",
        suggestion: dtype == .float32 ? "use Precision()" : "give .float64, .bfloat16 or .float16")
    }
    self.dtype = dtype
    super.init(kind)
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

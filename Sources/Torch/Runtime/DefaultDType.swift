internal import CTorch

extension DType {
  /// The type of floating-point tensors that this thread makes without naming one: float32, unless
  /// ``withDefaultDType(_:_:)`` says otherwise.
  public static var `default`: DType { DType(rawValue: Int8(truncatingIfNeeded: ct_default_dtype())) ?? .float32 }
}

/// Runs `body` with another ``DType/default``. Synchronous only: the type belongs to the thread.
///
/// It is the type of `Tensor.zeros` and its like, and of `Tensor(0.5)`; operations keep the type of their arguments.
///
/// - Precondition: `dtype` is a floating-point type.
public func withDefaultDType<Result>(_ dtype: DType, _ body: () throws -> Result) rethrows -> Result {
  precondition(dtype.isFloatingPoint, "the default type has to be a floating-point type, not \(dtype)")
  let before = ct_default_dtype()
  ct_set_default_dtype(dtype.raw)
  defer { ct_set_default_dtype(before) }
  return try body()
}

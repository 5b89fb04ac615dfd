/// A trainable tensor of a module, found by the module's walk without registration.
///
/// ```swift
/// final class Scale: Layer<Tensor, Tensor> {
///   @Parameter var factor: Tensor
///   @Parameter var offset: Tensor?
///   init(_ count: Int, offset: Bool) {
///     factor = .ones([count])
///     self.offset = offset ? .zeros([count]) : nil
///   }
///   override func forward(_ input: Tensor) -> Tensor {
///     offset.map { input * factor + $0 } ?? input * factor
///   }
/// }
/// ```
///
/// Assigning a tensor makes it a leaf that requires a gradient; a tensor with a history is detached first. `$factor`
/// is the wrapper, which holds the gradient and may be shared with another module (`_factor = other.$factor`).
@propertyWrapper
public final class Parameter<Value: WrappableTensor>: AnyParameter {
  /// Creates a parameter that holds `wrappedValue`.
  @inlinable
  public init(wrappedValue: Value) {
    super.init(adopting: wrappedValue.storedTensor)
  }

  /// The tensor, as the strategy lets it be read.
  @inlinable public var wrappedValue: Value {
    get {
      guard let reader, storage != nil else { return Value.reading(storage) }
      return Value.reading(reader(self))
    }
    set { assign(newValue.storedTensor) }
  }

  /// The wrapper itself.
  @inlinable public var projectedValue: Parameter<Value> { self }
}

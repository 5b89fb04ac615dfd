/// A tensor of a module that is saved with it, and moved with it, but not trained.
///
/// ```swift
/// @Buffer var runningMean: Tensor
/// @Buffer(persistent: false) var mask: Tensor = .ones([128, 128])
/// ```
@propertyWrapper
public final class Buffer<Value: WrappableTensor>: AnyBuffer {
  /// Creates a buffer that holds `wrappedValue`.
  ///
  /// - Parameter persistent: whether the buffer is part of the state dictionary.
  @inlinable
  public init(wrappedValue: Value, persistent: Bool = true) {
    super.init(storage: wrappedValue.storedTensor, isPersistent: persistent)
  }

  /// Creates a buffer without a tensor, to be assigned after `super.init()`.
  @inlinable
  public init(persistent: Bool) {
    super.init(storage: nil, isPersistent: persistent)
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
  @inlinable public var projectedValue: Buffer<Value> { self }
}

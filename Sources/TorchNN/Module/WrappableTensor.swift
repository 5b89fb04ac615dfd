public import Torch

/// What a `@Parameter` or `@Buffer` property may hold: a tensor, or an optional one.
public protocol WrappableTensor {
  /// Returns what the property reads as when `stored` is what it holds.
  static func reading(_ stored: Tensor?) -> Self
  /// The tensor to hold; `nil` when the property is empty.
  var storedTensor: Tensor? { get }
}

extension Tensor: WrappableTensor {
  @inlinable
  public static func reading(_ stored: Tensor?) -> Tensor {
    guard let stored else { return missing() }
    return stored
  }

  @usableFromInline
  static func missing() -> Tensor {
    .failed(operation: "read", message: "this parameter or buffer has no tensor yet; assign one before reading it")
  }

  @inlinable
  public var storedTensor: Tensor? { self }
}

extension Optional: WrappableTensor where Wrapped == Tensor {
  @inlinable
  public static func reading(_ stored: Tensor?) -> Tensor? { stored }

  @inlinable
  public var storedTensor: Tensor? { self }
}

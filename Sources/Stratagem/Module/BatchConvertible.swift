public import Torch

/// A batch whose tensors can be moved and converted.
///
/// ```swift
/// struct Digits: BatchConvertible {
///   var images: Tensor   // [batch, 64] float32
///   var labels: Tensor   // [batch] int64
///   func mapTensors(_ transform: (Tensor) -> Tensor) -> Digits {
///     Digits(images: transform(images), labels: transform(labels))
///   }
/// }
/// ```
public protocol BatchConvertible {
  /// The same batch with every tensor replaced.
  func mapTensors(_ transform: (Tensor) -> Tensor) -> Self
}

extension BatchConvertible {
  public func to(_ device: Device) -> Self { mapTensors { $0.to(device) } }

  /// Converts the tensors of floating-point numbers; others keep their type.
  public func to(floatingPoint dtype: DType) -> Self { mapTensors { $0.dtype.isFloatingPoint ? $0.to(dtype) : $0 } }
}

extension Tensor: BatchConvertible {
  public func mapTensors(_ transform: (Tensor) -> Tensor) -> Tensor { transform(self) }
}

extension Array: BatchConvertible where Element: BatchConvertible {
  public func mapTensors(_ transform: (Tensor) -> Tensor) -> [Element] { map { $0.mapTensors(transform) } }
}

extension Dictionary: BatchConvertible where Value: BatchConvertible {
  /// In the order of the keys' descriptions, which is the same for every dictionary with the same keys.
  public func mapTensors(_ transform: (Tensor) -> Tensor) -> [Key: Value] {
    var result = self
    for (_, key) in keys.map({ ("\($0)", $0) }).sorted(by: { $0.0 < $1.0 }) {
      result[key] = self[key]?.mapTensors(transform)
    }
    return result
  }
}

extension Optional: BatchConvertible where Wrapped: BatchConvertible {
  public func mapTensors(_ transform: (Tensor) -> Tensor) -> Wrapped? { map { $0.mapTensors(transform) } }
}

internal import Torch

/// The tensors of an input or output of a layer.
enum TensorTree {
  /// Whether the tensors of values of a type can be found.
  static func supports(_ type: Any.Type) -> Bool {
    type is any BatchConvertible.Type || type == (Tensor, Tensor).self || type == (Tensor, Tensor?).self
      || type == (Tensor?, Tensor?).self || type == (Tensor, Tensor, Tensor).self
      || type == (Tensor, Tensor, Tensor?).self || type == (Tensor, Tensor?, Tensor?).self
      || type == (Tensor, Tensor, Tensor, Tensor).self || type == (Tensor, Tensor, Tensor, Tensor?).self
  }

  /// The same value with every tensor replaced, in an order that the structure of the value decides.
  static func map<Value>(_ value: Value, _ transform: (Tensor) -> Tensor) -> Value {
    if let convertible = value as? any BatchConvertible {
      return convertible.mapTensors(transform) as? Value ?? value
    }
    let type = Value.self as Any.Type
    if type == (Tensor, Tensor).self { return mapPair(value, transform, like: (Tensor, Tensor).self) }
    if type == (Tensor, Tensor?).self { return mapPair(value, transform, like: (Tensor, Tensor?).self) }
    if type == (Tensor?, Tensor?).self { return mapPair(value, transform, like: (Tensor?, Tensor?).self) }
    if type == (Tensor, Tensor, Tensor).self { return mapTriple(value, transform, like: (Tensor, Tensor, Tensor).self) }
    if type == (Tensor, Tensor, Tensor?).self {
      return mapTriple(value, transform, like: (Tensor, Tensor, Tensor?).self)
    }
    if type == (Tensor, Tensor?, Tensor?).self {
      return mapTriple(value, transform, like: (Tensor, Tensor?, Tensor?).self)
    }
    if type == (Tensor, Tensor, Tensor, Tensor).self {
      return mapFour(value, transform, like: (Tensor, Tensor, Tensor, Tensor).self)
    }
    if type == (Tensor, Tensor, Tensor, Tensor?).self {
      return mapFour(value, transform, like: (Tensor, Tensor, Tensor, Tensor?).self)
    }
    return value
  }

  private static func mapPair<Value, A: BatchConvertible, B: BatchConvertible>(
    _ value: Value, _ transform: (Tensor) -> Tensor, like type: (A, B).Type
  ) -> Value {
    let given = unsafeBitCast(value, to: type)
    let first = given.0.mapTensors(transform)
    return unsafeBitCast((first, given.1.mapTensors(transform)), to: Value.self)
  }

  private static func mapTriple<Value, A: BatchConvertible, B: BatchConvertible, C: BatchConvertible>(
    _ value: Value, _ transform: (Tensor) -> Tensor, like type: (A, B, C).Type
  ) -> Value {
    let given = unsafeBitCast(value, to: type)
    let first = given.0.mapTensors(transform)
    let second = given.1.mapTensors(transform)
    return unsafeBitCast((first, second, given.2.mapTensors(transform)), to: Value.self)
  }

  private static func mapFour<
    Value, A: BatchConvertible, B: BatchConvertible, C: BatchConvertible, D: BatchConvertible
  >(_ value: Value, _ transform: (Tensor) -> Tensor, like type: (A, B, C, D).Type) -> Value {
    let given = unsafeBitCast(value, to: type)
    let first = given.0.mapTensors(transform)
    let second = given.1.mapTensors(transform)
    let third = given.2.mapTensors(transform)
    return unsafeBitCast((first, second, third, given.3.mapTensors(transform)), to: Value.self)
  }
}

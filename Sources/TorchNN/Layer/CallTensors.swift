package import Torch

/// The tensors in the input or output of a layer: the value itself, or what it has in tuples, arrays, dictionaries,
/// optionals and structures.
package struct CallTensors {
  private let value: Any

  init(_ value: Any) { self.value = value }

  /// Finds them; a value that is no tensor is looked at by reflection.
  package func find() -> [Tensor] {
    if let tensor = value as? Tensor { return [tensor] }
    if let tensors = value as? [Tensor] { return tensors }
    var found: [Tensor] = []
    Self.search(value, depth: 4, &found)
    return found
  }

  private static func search(_ value: Any, depth: Int, _ found: inout [Tensor]) {
    if let tensor = value as? Tensor {
      found.append(tensor)
      return
    }
    // A class may refer to anything, the whole model included.
    let mirror = Mirror(reflecting: value)
    guard depth > 0, mirror.displayStyle != .class else { return }
    for child in mirror.children { search(child.value, depth: depth - 1, &found) }
  }
}

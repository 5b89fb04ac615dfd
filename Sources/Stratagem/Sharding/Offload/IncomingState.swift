internal import Torch
internal import TorchNN

/// Vectors of the state of an optimizer that are still where they were saved, a part of which is read at a time.
struct IncomingState {
  /// Reads some elements.
  typealias Reader = (Range<Int>) throws -> Tensor

  private var readers: [ObjectIdentifier: [String: Reader]] = [:]

  subscript(parameter: AnyParameter, name: String) -> Reader? {
    get { readers[ObjectIdentifier(parameter)]?[name] }
    set { readers[ObjectIdentifier(parameter), default: [:]][name] = newValue }
  }

  var isEmpty: Bool { readers.isEmpty }

  func read(_ name: String, of parameter: AnyParameter, _ range: Range<Int>) throws -> Tensor? {
    try self[parameter, name].map { try $0(range).reshaped([-1]) }
  }
}

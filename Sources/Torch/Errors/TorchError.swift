/// An operation on tensors that failed.
public struct TorchError: Error, Sendable, CustomStringConvertible {
  /// ATen's name of the operation, or the method of this library.
  public let operation: String
  /// What libtorch says.
  public let message: String
  /// The tensors it was called with, as `name: [shape] dtype`.
  public let arguments: [String]
  /// The innermost line outside this library on the way to the operation, as `file:line`.
  public let location: String?

  public var description: String {
    var text = operation
    if !arguments.isEmpty { text += "(" + arguments.joined(separator: ", ") + ")" }
    text += ": " + message
    if let location { text += "\n  at " + location }
    return text
  }
}

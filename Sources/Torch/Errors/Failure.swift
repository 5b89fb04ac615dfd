internal import CTorch

/// A failed operation on its way to becoming a ``TorchError``: built on the failure path only.
struct Failure {
  private let operation: String
  private let message: String?
  private var arguments: [String] = []

  @inline(never)
  init(_ operation: String, message: String? = nil) {
    self.operation = operation
    self.message = message
  }

  func argument(_ name: String, _ tensor: Tensor) -> Failure { adding("\(name): \(Failure.shown(tensor))") }

  func argument(_ name: String, _ tensor: Tensor?) -> Failure {
    tensor.map { argument(name, $0) } ?? self
  }

  func argument(_ name: String, _ tensors: [Tensor]) -> Failure {
    let shown = tensors.prefix(4).map(Failure.shown).joined(separator: ", ")
    return adding("\(name): \(tensors.count) tensors [\(shown)\(tensors.count > 4 ? ", ..." : "")]")
  }

  private func adding(_ text: String) -> Failure {
    var copy = self
    copy.arguments.append(text)
    return copy
  }

  private static func shown(_ tensor: Tensor) -> String {
    tensor.isPoisoned ? "result of a failed operation" : "\(tensor.shape) \(tensor.dtype)"
  }

  /// The error, with the caller's source line; the thread's failure slot is emptied.
  func error() -> TorchError {
    let text = message ?? String(cString: ct_error_message())
    let location = message == nil ? SourceLocation.ofLastFailure() : SourceLocation.ofCaller()
    ct_error_clear()
    if let pending = ErrorScope.current?.first { return pending }
    return TorchError(
      operation: operation, message: LibtorchMessage.tidied(text), arguments: arguments, location: location)
  }

  /// Hands the error to the innermost error scope, or traps when there is none.
  @discardableResult
  func record() -> Tensor {
    guard let scope = ErrorScope.current else { fatalError("\(error())") }
    if scope.first == nil {
      scope.first = error()
    } else {
      ct_error_clear()
    }
    return Tensor(owning: nil)
  }
}

extension Tensor {
  /// Records an error found by Swift code and returns a poisoned tensor, as a failed operation does.
  package static func failed(operation: String, message: String, arguments: [(String, Tensor)] = []) -> Tensor {
    arguments.reduce(Failure(operation, message: message)) { $0.argument($1.0, $1.1) }.record()
  }
}

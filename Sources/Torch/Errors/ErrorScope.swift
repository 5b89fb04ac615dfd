internal import CTorch

/// Where failed operations of a thread leave the first error.
final class ErrorScope {
  var first: TorchError?

  static var current: ErrorScope? {
    ct_scope_get().map { Unmanaged<ErrorScope>.fromOpaque($0).takeUnretainedValue() }
  }
}

/// Runs `body` and throws the first error of the operations in it.
///
/// A failed operation returns a poisoned tensor, and so does every operation on one; the error thrown is the first cause
/// and not a consequence. Scopes nest; each collects its own errors.
///
/// - Throws: ``TorchError``, or what `body` throws when no operation failed before.
public func withErrorScope<Result>(_ body: () throws -> Result) throws -> Result {
  let scope = ErrorScope()
  let outer = ct_scope_get()
  ct_scope_set(Unmanaged.passUnretained(scope).toOpaque())
  defer {
    ct_scope_set(outer)
    withExtendedLifetime(scope) {}
  }
  do {
    let result = try body()
    if let first = scope.first { throw first }
    return result
  } catch {
    throw scope.first ?? error
  }
}

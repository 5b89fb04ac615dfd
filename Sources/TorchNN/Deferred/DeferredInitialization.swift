internal import Torch

/// Runs `body`, in which modules are made without memory for their parameters and buffers.
///
/// ```swift
/// override func configureModel() throws {
///   if body == nil { body = try withDeferredInitialization { GPT(width: 4096, layers: 40) } }
/// }
/// ```
///
/// The tensors are on the meta device: they have a shape and a type. How each is made is recorded, operation by operation,
/// so that ``TensorHolder/initialTensor()`` computes its numbers later, one parameter at a time: to the bit those that the
/// same random generators in the same state give without deferring. The generators go on as if all had been made; that
/// costs the time of the initialisation, and the memory of one parameter.
///
/// A number read from such a tensor inside (`scalar()`) is computed. An ``Initializer`` is called again for each parameter
/// it has filled, so it must do the same when it is called twice.
///
/// - Throws: ``DeferredInitializationError`` naming the parameters that were made from numbers in memory, and what
///   `body` throws.
public func withDeferredInitialization<Result>(_ body: () throws -> Result) throws -> Result {
  if OperationTape.current != nil { return try body() }
  let tape = OperationTape()
  let scope = DeferralScope()
  tape.companion = scope
  // Each tensor is made and freed between small things that stay; in the heap it would leave a hole as large as itself.
  TorchRuntime.keepFreedMemory(1 << 20, inBlocksUpTo: 1 << 20)
  defer { TorchRuntime.keepFreedMemory(32 << 20) }
  let result = try tape.record { try withErrorScope(body) }
  try scope.check(tape, in: result as? Module)
  return result
}

/// The parameters that are assigned where initialisation is deferred.
final class DeferralScope {
  private struct Weak {
    weak var parameter: AnyParameter?
  }

  static var current: DeferralScope? { OperationTape.current?.companion as? DeferralScope }

  private var assigned: [Weak] = []

  /// Numbers of a parameter that may stay in memory: what a constant of a layer takes.
  private static let toleratedByteCount = 1 << 16

  func note(_ parameter: AnyParameter) { assigned.append(Weak(parameter: parameter)) }

  /// Throws when parameters hold more numbers than a few.
  func check(_ tape: OperationTape, in module: Module?) throws(DeferredInitializationError) {
    var names: [ObjectIdentifier: String] = [:]
    for (name, parameter) in module?.namedParameters(removingDuplicates: false) ?? [] {
      names[ObjectIdentifier(parameter)] = name
    }
    var seen = Set<ObjectIdentifier>()
    var problems: [DeferredInitializationError.Problem] = []
    for parameter in assigned.compactMap(\.parameter) {
      guard seen.insert(ObjectIdentifier(parameter)).inserted, let tensor = parameter.storage, !tensor.isPoisoned else {
        continue
      }
      let bytes = parameter.isDeferred ? tape.constantByteCount(of: tensor) : tensor.byteCount
      guard bytes > Self.toleratedByteCount else { continue }
      problems.append(
        .init(
          parameter: names[ObjectIdentifier(parameter)], shape: tensor.shape,
          reason: "its initial values are \(bytes) bytes in memory, of an array, a file or a tensor from outside; "
            + "fill it by an Initializer, which computes them when they are needed"))
    }
    if !problems.isEmpty { throw DeferredInitializationError(problems: problems) }
  }
}

internal import CTorch

/// How tensors without memory are made: the operations of a scope, run again when their numbers are asked for.
///
/// Used by one thread at a time.
package final class OperationTape {
  private let handle: OpaquePointer?
  /// What goes along with the recording, for who makes the scope.
  package var companion: AnyObject?

  package init() {
    handle = ct_tape_create()
    ct_tape_set_owner(handle, Unmanaged.passUnretained(self).toOpaque())
  }

  deinit { ct_tape_release(handle) }

  /// What the calling thread records on; nil outside ``record(_:)``.
  package static var current: OperationTape? { found(ct_tape_current()) }

  /// The tape that knows how `tensor` is made; nil for a tensor with memory.
  package static func of(_ tensor: Tensor) -> OperationTape? { found(ct_tape_of(tensor.handle)) }

  private static func found(_ owner: UnsafeMutableRawPointer?) -> OperationTape? {
    owner.map { Unmanaged<OperationTape>.fromOpaque($0).takeUnretainedValue() }
  }

  /// Runs `body`, in which tensors made on the CPU get no memory. Random numbers are drawn as if they did.
  package func record<Result>(_ body: () throws -> Result) throws -> Result {
    guard ct_tape_enter(handle) else {
      let failure = Failure("deferred initialisation").error()
      throw failure
    }
    defer { ct_tape_exit() }
    return try body()
  }

  /// The numbers of a tensor that the tape knows: those it would have if it had been made with memory.
  package func replay(_ tensor: Tensor) throws(TorchError) -> Tensor {
    guard let made = ct_tape_replay(handle, tensor.handle) else {
      throw Failure("deferred initialisation").argument("self", tensor).error()
    }
    return Tensor(owning: made)
  }

  /// Bytes of tensors with memory that the tape keeps to make `tensor`.
  package func constantByteCount(of tensor: Tensor) -> Int { ct_tape_constant_bytes(handle, tensor.handle) }

  /// Records that `body` overwrites `tensor`, which this tape knows. It is run at once too, on other memory, so that the
  /// generator goes on.
  package func fill(_ tensor: Tensor, generator: Generator?, _ body: @escaping (Tensor, Generator?) -> Void) {
    let succeeded = ct_tape_fill(
      handle, tensor.handle, generator?.handle,
      { context, tensor, generator in
        guard let context, let tensor else { return }
        Unmanaged<Box<(Tensor, Generator?) -> Void>>.fromOpaque(context).takeUnretainedValue()
          .value(Tensor(borrowing: tensor), generator.map { Generator(owning: $0) })
      }, Unmanaged.passRetained(Box(body)).toOpaque(),
      { context in
        if let context { Unmanaged<AnyObject>.fromOpaque(context).release() }
      })
    withExtendedLifetime(generator) {}
    if !succeeded { Failure("Initializer.fill").argument("self", tensor).record() }
  }
}

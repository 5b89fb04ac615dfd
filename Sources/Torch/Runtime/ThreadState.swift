internal import CTorch

/// What libtorch keeps for each thread: gradient and inference mode, autocast, dispatch keys.
package final class ThreadState: @unchecked Sendable {
  private let handle: OpaquePointer

  /// The state of the calling thread as it is now.
  package init() { handle = ct_thread_state_capture() }

  deinit { ct_thread_state_release(handle) }

  /// Runs `body` with this state on the calling thread.
  package func apply<Result>(_ body: () throws -> Result) rethrows -> Result {
    let guardian = ct_thread_state_enter(handle)
    defer { ct_thread_state_exit(guardian) }
    return try body()
  }
}

extension Generator {
  /// A number that nobody else draws from this generator: the seed of another one.
  package func drawSeed() -> UInt64 { ct_generator_draw(handle) }

  /// Runs `body` such that operations of this thread on the CPU that are given no generator draw from this one instead
  /// of the default one; it is seeded with `seed` before the first of them.
  ///
  /// Threads that share the default generator take turns in an order that changes from run to run.
  package func serveThread<Result>(seed: UInt64, _ body: () throws -> Result) throws -> Result {
    guard ct_thread_generator_enter(handle, seed) else {
      let failure = Failure("random numbers of a thread").error()
      throw failure
    }
    defer { ct_thread_generator_exit() }
    return try body()
  }
}

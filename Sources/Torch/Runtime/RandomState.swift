internal import CTorch

/// The state of the generator on the CPU that operations of a thread draw from when they are given none.
package struct RandomState {
  private let state: Tensor

  /// The state of the calling thread's generator as it is now.
  package init() {
    state = Tensor(owning: ct_random_state())
    if state.isPoisoned { Failure("random state").record() }
  }

  /// Runs `body`, whose operations on the CPU draw once more what was drawn from this state on. The generators go on
  /// afterwards as if nothing had been drawn.
  package func replay<Result>(_ body: () throws -> Result) throws -> Result {
    guard let guardian = ct_random_replay_enter(state.handle) else {
      let failure = Failure("random state").error()
      throw failure
    }
    defer {
      ct_random_replay_exit(guardian)
      withExtendedLifetime(state) {}
    }
    return try body()
  }
}

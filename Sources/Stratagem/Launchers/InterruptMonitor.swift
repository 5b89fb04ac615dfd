import CProcess
import Synchronization

/// Turns Ctrl-C and SIGTERM into a request that the training loop answers between two batches.
///
/// While a run is active the first signal is recorded, and the loop, which asks `isInterrupted` for every batch, ends
/// in good order. A second signal ends the process and all workers at once with status 128 + signal, and so does the
/// first one when nobody asks for `reactionTime` seconds. Outside a run the signals do what they did before. A signal
/// that is ignored, as in a background job of a shell script, stays ignored.
public final class InterruptMonitor: Sendable {
  /// The monitor of this process; signals are a matter of the process.
  public static let shared = InterruptMonitor()

  /// The name of the thread that ends a run which does not answer.
  static let threadName = "stratagem-signals"

  /// How long an unanswered signal may stay unanswered, in seconds.
  public static let reactionTime = 5.0

  private struct State {
    var activations = 0
    var hasThread = false
  }

  private let state = Mutex(State())
  private let interrupted = Event()
  private let answered = Event()

  /// Whether the run has been asked to stop. Asking counts as an answer: the process is no longer ended for silence.
  public var isInterrupted: Bool { signal != nil }

  /// The signal that asked the run to stop (2 for Ctrl-C, 15 for SIGTERM), or `nil`.
  public var signal: Int? {
    let number = cp_interrupt_pending()
    guard number != 0 else { return nil }
    answered.signal()
    return Int(number)
  }

  /// Says that a pending signal has been seen and will be answered, so that the process is not ended for silence.
  public func acknowledge() { _ = signal }

  /// Runs `body` with the signals caught, and puts everything back as it was.
  ///
  /// - Parameter startsThread: whether a thread ends a run that does not answer; without it `body` has to ask.
  public func watching<Result, Failure: Error>(
    startsThread: Bool = true, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    activate(startsThread: startsThread)
    defer { deactivate() }
    return try body()
  }

  /// Starts to catch the signals; calls nest.
  public func activate(startsThread: Bool = true) {
    let needsThread = state.withLock { state -> Bool in
      state.activations += 1
      guard state.activations == 1 else { return false }
      interrupted.reset()
      answered.reset()
      // In a worker the parent speaks for all.
      cp_interrupts_install(interrupted.descriptor, WorkerProcess.isWorker || WorkerProcess.isLaunched ? 0 : 1)
      guard startsThread, !state.hasThread else { return false }
      state.hasThread = true
      return true
    }
    if needsThread { _ = BackgroundThread.start(Self.threadName) { self.watch() } }
  }

  /// Ends the matching `activate`; the last one restores the previous handlers.
  public func deactivate() {
    state.withLock { state in
      state.activations -= 1
      guard state.activations == 0 else { return }
      cp_interrupts_restore()
      answered.signal()
    }
  }

  /// Forgets what belongs to the process that this one is a copy of.
  func processWasForked() {
    state.withLock { $0 = State() }
    cp_interrupts_restore()
    cp_renew_event(interrupted.descriptor)
    cp_renew_event(answered.descriptor)
  }

  private func watch() {
    while true {
      while !interrupted.wait(seconds: 3600) {}
      interrupted.reset()
      let number = cp_interrupt_pending()
      guard number != 0, !answered.wait(patience: Self.reactionTime) else { continue }
      guard state.withLock({ $0.activations > 0 }), cp_interrupt_pending() != 0 else { continue }
      WorkerMessage.print("the run did not stop within \(Int(Self.reactionTime)) s and is ended")
      cp_kill_all_workers()
      cp_end_now(128 + number)
    }
  }
}

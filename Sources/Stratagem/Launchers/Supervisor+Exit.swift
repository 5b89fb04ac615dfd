import CProcess
import Glibc
import Synchronization

extension Supervisor {
  private struct Registration {
    var supervisor: Supervisor?
    var owner: Int32 = 0
  }

  private static let registration = Mutex(Registration())

  /// The supervisor of this program's workers, once they were started.
  public static var current: Supervisor? { registration.withLock { $0.supervisor } }

  /// Starts the workers of this program and arranges that its end waits for theirs.
  static func startCurrent(
    _ commands: [WorkerCommand], localWorldSize: Int, options: SupervisorOptions
  ) throws(LaunchError) {
    let supervisor = try Supervisor(commands, localWorldSize: localWorldSize, options: options)
    registration.withLock { registration in
      if registration.owner == 0 {
        _ = cp_on_exit { status in Supervisor.processIsEnding(status: Int(status)) }
      }
      registration = Registration(supervisor: supervisor, owner: getpid())
    }
  }

  private static func processIsEnding(status: Int) {
    let registration = registration.withLock { $0 }
    // A forked copy of this process has the handler, but not the workers.
    guard let supervisor = registration.supervisor, registration.owner == getpid() else { return }
    supervisor.rankZeroIsEnding(status: status)
  }

  /// Waits for the workers after a success, and ends them after a failure.
  ///
  /// Returns when the process may end with `status`.
  private func rankZeroIsEnding(status: Int) {
    let (wasAcknowledged, isCollecting) = state.withLock { state in
      state.rankZeroIsAttending = true
      return (state.isAcknowledged, state.isCollecting)
    }
    wake.signal()

    if status == 0, !wasAcknowledged {
      do {
        let stragglers = try waitForWorkers()
        if !stragglers.isEmpty {
          say(
            "\(Self.list(stragglers)) still ran \(Int(options.exitTimeout.rounded(.up))) s after rank 0 had ended, "
              + "and was killed")
        }
      } catch {
        say(error.description)
        cp_end_now(Int32(error.exitStatus))
      }
      return
    }

    if status != 0, isCollecting { waitForVerdict(within: 0) }
    if !hasFailed { abort() }
    finished.wait(patience: 2)
    guard let failure = state.withLock({ $0.failure }) else { return }
    if !wasAcknowledged { say(failure.description) }
    // 1 is what programs end with after any error; the worker's own status says more.
    if status == 1 { cp_end_now(Int32(failure.exitStatus)) }
  }
}

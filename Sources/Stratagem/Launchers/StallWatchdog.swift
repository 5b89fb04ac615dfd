internal import Synchronization
internal import TorchDistributed

/// Notices that ranks wait for each other, and says who waits where.
///
/// Every rank has one, on a thread of its own with a connection of its own to the store of the run, so that it answers
/// also when the rank is stuck, and works wherever the store does. When a rank has waited longer than the notice time, it
/// asks all ranks what they do; one of them, rank 0 when it can, prints the answers. Nothing is ended by the watchdog: the
/// collective itself fails after its time limit, and the answers become part of that error.
final class StallWatchdog: Sendable {
  /// What a watchdog needs to know of its run.
  struct Run: Sendable {
    let identity: WorkerIdentity
    /// Where the store is.
    let host: String
    let port: Int
    /// The number of the run in the program, the same on all ranks.
    let number: Int
    /// Seconds of waiting after which the ranks are asked.
    let notice: Double
    /// Seconds after which a collective fails.
    let timeout: Double
  }

  struct State {
    /// The processes of the ranks that were heard of.
    var processes: [Int: RankProcess] = [:]
    /// The last answers of all ranks, as text.
    var report: String?
    var wantsReport = false
  }

  let run: Run
  let activity: CollectiveActivity
  let state = Mutex(State())
  /// There is something for the thread to do.
  let wake = Event()
  /// A report that was asked for is there.
  let reported = Event()
  private let stopping = Atomic<Bool>(false)

  /// Starts the thread. Without it (there can be no more threads) the run goes on unwatched.
  init(_ run: Run, _ activity: CollectiveActivity) {
    self.run = run
    self.activity = activity
    _ = BackgroundThread.start("stratagem-watch") { [self] in WatchdogLoop(self).run() }
  }

  var isStopping: Bool { stopping.load(ordering: .relaxed) }

  /// Ends the thread; does not wait for it, because its store may no longer answer.
  func stop() {
    stopping.store(true, ordering: .relaxed)
    wake.signal()
  }

  /// How often the thread looks, in seconds.
  var interval: Double { min(max(run.notice / 4, 0.02), 2) }

  /// The error of a run whose collective came to its time limit, with what all ranks do; nil for any other error.
  func explanation(of error: any Error) -> StalledRunError? {
    let snapshot = activity.snapshot()
    guard ProcessLauncher.isConsequenceOfPeer(error), snapshot.waited > 0.9 * run.timeout else { return nil }
    state.withLock { $0.wantsReport = true }
    wake.signal()
    if !reported.wait(seconds: 4 * interval + 2) {
      // The store does not answer, so the process that has it does not.
      let known = state.withLock { $0.processes }
      let lines = (0..<run.identity.worldSize).map { rank in
        RankAnswer.line(rank, rank == run.identity.globalRank ? snapshot.description : nil, known[rank])
      }
      state.withLock { $0.report = lines.joined(separator: "\n") }
    }
    return StalledRunError(seconds: run.timeout, report: state.withLock { $0.report } ?? "", cause: "\(error)")
  }
}

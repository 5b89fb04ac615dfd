import Synchronization

/// Watches over the worker processes that this process started.
///
/// The first failure of a worker decides the run: the supervisor finds the rank that caused it, kills all other
/// workers, and hands the `WorkerFailure` to rank 0, or ends rank 0 with the worker's exit status when rank 0 does
/// not react. Workers never outlive this process: the kernel kills them with it, whatever ends it.
public final class Supervisor: Sendable {
  struct State {
    var failure: WorkerFailure?
    /// Rank 0 knows how the workers ended.
    var isAcknowledged = false
    var isAborted = false
    var isRunActive = false
    var isCollecting = false
    /// Rank 0 is waiting for the workers, so that it need not be ended for a failure.
    var rankZeroIsAttending = false
    var startError: LaunchError?
    var runningRanks: [Int] = []
    var endedEarly: [Int] = []
    /// A signal that is to be sent to the worker of the lowest rank.
    var signal: Int?
    /// A signal that is to be sent to all other workers.
    var signalToOthers: Int?
    /// Workers were asked to end, so that their end is no failure.
    var isStopping = false
  }

  /// The number of processes on this node, this one included.
  public let localWorldSize: Int
  let options: SupervisorOptions

  let state = Mutex(State())
  let started = Event()
  /// A failure has been decided on and all workers were killed.
  let decided = Event()
  /// All workers are reaped and their output is printed.
  let finished = Event()
  /// There is something for the supervisor's thread to look at.
  let wake = Event()
  private let failed = Atomic<Bool>(false)

  /// Starts the workers, all at once, and a thread that watches over them.
  ///
  /// - Throws: `LaunchError.cannotStart`; then no worker is left running.
  init(_ commands: [WorkerCommand], localWorldSize: Int, options: SupervisorOptions) throws(LaunchError) {
    self.localWorldSize = localWorldSize
    self.options = options
    // Workers die with the thread that starts them, so it is the one that lives as long as they do.
    try start(commands.first?.program ?? "") { SupervisorLoop($0, commands).run() }
  }

  /// Starts a thread that watches over workers that run already.
  init(
    _ workers: sending [SupervisedWorker], localWorldSize: Int, options: SupervisorOptions
  ) throws(LaunchError) {
    self.localWorldSize = localWorldSize
    self.options = options
    let running = Mutex(workers)
    try start("a copy of this process") { supervisor in
      SupervisorLoop(supervisor, [], running.withLock { $0 }).run()
    }
  }

  private func start(_ program: String, _ body: @escaping @Sendable (Supervisor) -> Void) throws(LaunchError) {
    if options.expectsReports {
      state.withLock { state in
        state.isRunActive = true
        state.rankZeroIsAttending = true
      }
    }
    let code = BackgroundThread.start("stratagem-supervisor") { body(self) }
    guard code == 0 else {
      throw .cannotStart(localRank: 1, program: program, reason: "no thread to supervise it")
    }
    while !started.wait(seconds: 60) {}
    if let error = state.withLock({ $0.startError }) { throw error }
  }

  /// Whether a worker has failed; cheap enough to be asked for every batch.
  public var hasFailed: Bool { failed.load(ordering: .relaxed) }

  /// Whether all workers have ended and their output has been printed.
  public var hasFinished: Bool { finished.isSet }

  /// The global ranks of the workers that are still running.
  public var runningRanks: [Int] { state.withLock { $0.runningRanks } }

  /// Returns the failure that caused the trouble this process is in, and takes over responsibility for it.
  ///
  /// Rank 0 asks when a collective of its own has failed, and throws the answer in place of its own error. It is
  /// then for rank 0 to end; the process exits with the worker's status when it ends with 1.
  ///
  /// - Parameter seconds: how long to wait for a sign of a failure; from then on the verdict is waited for.
  /// - Returns: `nil` when no worker failed within that time.
  public func rootFailure(within seconds: Double = 0.5) -> WorkerFailure? {
    waitForVerdict(within: seconds)
    let failure = state.withLock { state -> WorkerFailure? in
      if state.failure != nil { state.isAcknowledged = true }
      // Nobody failed, but a worker is gone although rank 0 still needs it.
      guard state.failure == nil, !state.isAborted, !state.isAcknowledged, let rank = state.endedEarly.first
      else { return state.failure }
      return WorkerFailure(rank: rank, cause: .exited(0), exitStatus: 1)
    }
    wake.signal()
    return failure
  }

  /// Waits for a verdict: as long as it takes to reach one, once there is a sign of a failure.
  func waitForVerdict(within seconds: Double) {
    guard !decided.wait(patience: seconds) else { return }
    while state.withLock({ $0.isCollecting }), !decided.wait(seconds: Patience.longestStep) {}
  }

  /// Whether a run is under way that every process takes part in, so that a worker that ends, with whatever status, has
  /// left the others alone.
  public func setRunActive(_ active: Bool) {
    state.withLock { $0.isRunActive = active }
    wake.signal()
  }

  /// Kills all workers at once because this process has failed; they are not to blame and nothing is printed.
  ///
  /// To be called first thing when an error of rank 0 is caught, before connections are closed: the errors that
  /// workers get from closed connections could otherwise be taken for the cause.
  public func abort() {
    state.withLock { state in
      state.isAborted = true
      // Rank 0 has an error of its own to tell; a worker that failed in the same moment has nothing to add.
      state.isAcknowledged = true
    }
    wake.signal()
    finished.wait(patience: 2)
  }

  /// Waits until all workers have ended.
  ///
  /// - Parameter seconds: how long to wait; workers that are still running then are killed.
  /// - Returns: the ranks that had to be killed.
  /// - Throws: the failure of a worker.
  @discardableResult
  public func waitForWorkers(within seconds: Double? = nil) throws(WorkerFailure) -> [Int] {
    state.withLock { $0.rankZeroIsAttending = true }
    let limit = seconds ?? options.exitTimeout
    let notice = min(options.exitNotice, limit)
    var stragglers: [Int] = []
    if !finished.wait(patience: notice), !hasFailed {
      let running = runningRanks
      if limit > notice, !running.isEmpty {
        say("waiting for \(Self.list(running)) to end (up to \(Int(limit.rounded(.up))) s)")
      }
      if !finished.wait(patience: limit - notice), !hasFailed {
        stragglers = runningRanks
        // Without stragglers their output is being printed, at the pace of whoever reads ours.
        if stragglers.isEmpty { while !finished.wait(seconds: 60) {} } else { abort() }
      }
    }
    if hasFailed { finished.wait(patience: 2) }
    let failure = state.withLock { state -> WorkerFailure? in
      state.isAcknowledged = true
      return state.failure
    }
    wake.signal()
    if let failure { throw failure }
    return stragglers
  }

  /// Waits until all workers have done what they were started for and have ended.
  ///
  /// - Parameter signal: asked many times a second for a signal that this process got; the lowest rank gets it, too.
  /// - Throws: the failure of a worker.
  func waitForCall(signal: () -> Int?) throws(WorkerFailure) {
    var isForwarded = false
    while !finished.wait(seconds: 0.05) {
      guard !isForwarded, let number = signal() else { continue }
      isForwarded = true
      state.withLock { $0.signal = number }
      wake.signal()
    }
    let failure = state.withLock { state -> WorkerFailure? in
      state.isAcknowledged = true
      return state.failure
    }
    wake.signal()
    if let failure { throw failure }
  }

  /// Records the verdict; called by the supervisor's thread after the workers were killed.
  func decide(_ failure: WorkerFailure) {
    state.withLock { state in
      state.failure = failure
      state.isCollecting = false
    }
    failed.store(true, ordering: .relaxed)
    decided.signal()
  }

  /// Prints a line of our own on standard error.
  func say(_ text: String) { WorkerMessage.print(text) }

  static func list(_ ranks: [Int]) -> String {
    ranks.map { "rank \($0)" }.joined(separator: ", ")
  }
}

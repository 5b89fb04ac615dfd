import CProcess
import Glibc

/// One worker as the supervisor's thread sees it.
final class SupervisedWorker {
  /// How a worker ended.
  enum Exit: Equatable {
    case exited(Int)
    case signalled(Int)
  }

  /// A sign that a worker failed; the smallest of all workers is the cause of the run's failure.
  struct Evidence: Comparable {
    /// How likely a failure is to be the cause and not a consequence.
    enum Weight: Int, Comparable {
      /// A report of an error, or death by a signal.
      case cause
      /// An exit without report, or an abort: what a program does when its own cause is gone, or another process.
      case unexplained
      /// A report that another process could not be reached.
      case consequence

      static func < (left: Weight, right: Weight) -> Bool { left.rawValue < right.rawValue }
    }

    let weight: Weight
    let time: UInt64
    let rank: Int

    static func < (left: Evidence, right: Evidence) -> Bool {
      (left.weight, left.time, left.rank) < (right.weight, right.time, right.rank)
    }
  }

  let rank: Int
  let pid: pid_t
  /// The read ends of the worker's output, which the relay takes over.
  let output: Int32
  let errors: Int32
  /// The report of a failure.
  private(set) var report: WorkerReport?
  /// Whether the worker has reported that it did its work.
  private(set) var isCompleted = false
  private(set) var exit: Exit?

  private var pidfd: Int32
  private var reportDescriptor: Int32
  private var reportSplitter = LineSplitter()
  private var failureTime: UInt64?
  private var news: NewsQueue?
  private var isTold = false

  init(rank: Int, _ running: WorkerCommand.Running) {
    self.rank = rank
    pid = running.pid
    output = running.output
    errors = running.errors
    pidfd = running.pidfd
    reportDescriptor = running.report
  }

  var isRunning: Bool { exit == nil }

  /// Whether the kernel does not tell us of the end of this worker, so that we must look now and then.
  var needsPolling: Bool { isRunning && !isTold }

  /// Lets the queue tell, under a number, that the worker has ended or reported.
  func tell(_ news: NewsQueue, as number: Int) {
    self.news = news
    isTold = pidfd >= 0 && news.add(pidfd, number) && news.add(reportDescriptor, number)
  }

  /// Takes in what has happened to the worker: its report and its end.
  func look() {
    guard isRunning else { return }
    // The exit is looked at first: a report is written before it, and then surely there to be read.
    var value: Int32 = 0
    let kind = cp_peek_exit(pid, &value)
    readReport()
    if kind != CP_RUNNING { end(kind, Int(value)) }
    if failureTime == nil, report != nil || (exit != nil && exit != .exited(0)) { failureTime = cp_now() }
  }

  /// Counts an end with status 0 as a failure, because the run is not over.
  func noteDesertion() {
    if exit == .exited(0), !isCompleted, failureTime == nil { failureTime = cp_now() }
  }

  /// Sends a signal to the worker if it still runs.
  func send(_ signal: Int) {
    if isRunning { cp_signal(pid, Int32(signal)) }
  }

  /// Closes what a copy of the supervising process must not keep open.
  func forget() {
    close(output)
    close(errors)
    closeDescriptors()
  }

  /// Waits until the worker, which has been killed, is gone.
  func waitForEnd() {
    guard isRunning else { return }
    cp_reap(pid)
    exit = .signalled(Int(SIGKILL))
    closeDescriptors()
  }

  var evidence: Evidence? {
    guard let failureTime else { return nil }
    return Evidence(weight: weight, time: failureTime, rank: rank)
  }

  private var weight: Evidence.Weight {
    switch (report?.kind, exit) {
    case (.error, _): return .cause
    case (.communication, _): return .consequence
    case (nil, .signalled(let number)) where ![SIGABRT, SIGPIPE].contains(Int32(number)): return .cause
    default: return .unexplained
    }
  }

  func failure(recentErrorLines: [String]) -> WorkerFailure {
    let cause: WorkerFailure.Cause
    var status = 1
    switch exit {
    case .exited(let value): status = value
    case .signalled(let number) where report == nil: status = 128 + number
    case .signalled, nil: break
    }
    switch (report?.kind, exit) {
    case (.error, _): cause = .reported(report?.message ?? "")
    case (.communication, _): cause = .disconnected(report?.message ?? "")
    case (nil, .signalled(let number)): cause = .signalled(WorkerFailure.name(ofSignal: number))
    case (nil, .exited(let value)): cause = .exited(value)
    case (nil, nil), (.completed, _): cause = .exited(0)
    }
    return WorkerFailure(rank: rank, cause: cause, exitStatus: status, recentErrorLines: recentErrorLines)
  }

  private func end(_ kind: cp_exit_kind, _ value: Int) {
    switch kind {
    case CP_EXITED: exit = .exited(value)
    case CP_SIGNALLED: exit = .signalled(value)
    default: exit = .exited(255)  // reaped behind our back, its status is lost
    }
    // A failed worker's own helpers go with it; after reaping its group could belong to someone else.
    if exit != .exited(0), kind != CP_LOST { cp_kill_group(pid) }
    cp_reap(pid)
    closeDescriptors()
  }

  private func readReport() {
    guard reportDescriptor >= 0 else { return }
    while true {
      var buffer = [UInt8](repeating: 0, count: 1 << 14)
      let count = read(reportDescriptor, &buffer, buffer.count)
      if count < 0 { return }  // nothing to read now
      if count == 0 { return closeReport() }
      for line in reportSplitter.lines(adding: buffer[..<count]) where report == nil {
        let told = WorkerReport(decoding: line)
        if told?.kind == .completed { isCompleted = true } else { report = told }
      }
    }
  }

  private func closeReport() {
    guard reportDescriptor >= 0 else { return }
    news?.remove(reportDescriptor)
    close(reportDescriptor)
    reportDescriptor = -1
  }

  private func closeDescriptors() {
    closeReport()
    guard pidfd >= 0 else { return }
    news?.remove(pidfd)
    close(pidfd)
    pidfd = -1
  }
}

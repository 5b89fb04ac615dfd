internal import Synchronization
internal import Torch
internal import TorchData

/// Writes and removes checkpoints on a thread of its own, in the order of the calls.
///
/// One checkpoint at a time: the next one waits until the one before is written. After a failure nothing more is written
/// or removed until the failure has been thrown, so that no old checkpoint is given up for a new one that is not there.
final class CheckpointWriter: @unchecked Sendable {
  private struct Job {
    /// The files that it writes; empty for one that removes.
    let paths: [String]
    let body: UnsafeTransfer<() throws -> Void>
  }

  private let monitor = Monitor()
  private var jobs: [Job] = []
  private var isRunning = false
  private var hasThread = false
  private var pending: Set<String> = []
  private var failure: (any Error)?
  /// Set as long as there is a `failure`, for a look without the lock.
  private let hasFailed = Atomic<Bool>(false)

  func check() throws {
    if hasFailed.load(ordering: .relaxed) { try throwFailure() }
  }

  /// Waits until no checkpoint is being written any more.
  func waitForSaves() throws {
    monitor.locked { while !pending.isEmpty { monitor.wait() } }
    try check()
  }

  /// Waits for everything and ends the thread; the next call starts another.
  func finish() throws {
    monitor.locked { while isRunning || !jobs.isEmpty { monitor.wait() } }
    try check()
  }

  /// Whether the file is about to be written.
  func isPending(_ path: String) -> Bool { monitor.locked { pending.contains(path) } }

  /// Does `body` after everything that was asked for before.
  ///
  /// - Parameter paths: the files that `body` writes.
  func enqueue(writing paths: [String] = [], _ body: @escaping () throws -> Void) {
    let job = Job(paths: paths, body: UnsafeTransfer(body))
    let needsThread = monitor.locked {
      guard failure == nil else { return false }
      jobs.append(job)
      pending.formUnion(paths)
      defer { hasThread = true }
      return !hasThread
    }
    guard needsThread else { return }
    // Without a thread the work is done here.
    if BackgroundThread.start("checkpoints", { [self] in work() }) != 0 { work() }
  }

  /// Does jobs until there are none.
  private func work() {
    while let job = next() {
      var failure: (any Error)?
      do { try withErrorScope { try withoutGradients { try job.body.value() } } } catch { failure = error }
      finished(job, failure)
    }
  }

  private func next() -> Job? {
    monitor.locked {
      isRunning = !jobs.isEmpty
      if isRunning { return jobs.removeFirst() }
      hasThread = false
      monitor.signalAll()
      return nil
    }
  }

  private func finished(_ job: Job, _ failure: (any Error)?) {
    monitor.locked {
      pending.subtract(job.paths)
      if let failure {
        self.failure = failure
        jobs.removeAll()
        hasFailed.store(true, ordering: .relaxed)
      }
      monitor.signalAll()
    }
  }

  private func throwFailure() throws {
    let failure = monitor.locked {
      defer { self.failure = nil }
      hasFailed.store(false, ordering: .relaxed)
      return self.failure
    }
    if let failure { throw failure }
  }
}

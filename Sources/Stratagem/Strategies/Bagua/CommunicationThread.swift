internal import Glibc
internal import Torch

/// A thread that does jobs one after the other, in the order in which they were submitted, while the submitting thread
/// computes.
///
/// Jobs are collectives, which all ranks must submit in the same order.
final class CommunicationThread: @unchecked Sendable {
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private let ended = Event()
  // What the lock protects.
  private var jobs: [() throws -> Void] = []
  private var unfinished = 0
  private var failure: (any Error)?
  private var isEnding = false

  /// Starts the thread.
  ///
  /// - Throws: ``LaunchError`` when there can be no more threads.
  init(_ name: String) throws {
    lock = .allocate(capacity: 1)
    changed = .allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
    pthread_cond_init(changed, nil)
    let code = BackgroundThread.start(name) { [self] in run() }
    if code != 0 { throw CommunicationError.noThread(name: name, code: code) }
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(lock)
    changed.deallocate()
    lock.deallocate()
  }

  /// Hands over a job. After one that failed, further ones are dropped until ``wait()`` has told.
  func submit(_ job: @escaping () throws -> Void) {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    guard failure == nil, !isEnding else { return }
    jobs.append(job)
    unfinished += 1
    pthread_cond_broadcast(changed)
  }

  /// Returns when all jobs are done; throws the error of the first that failed.
  func wait() throws {
    pthread_mutex_lock(lock)
    while unfinished > 0, !isEnding { pthread_cond_wait(changed, lock) }
    let error = failure
    failure = nil
    pthread_mutex_unlock(lock)
    if let error { throw error }
  }

  /// Ends the thread after the job under way and waits for that, but no longer than `seconds`: the job may be a collective
  /// to which the other ranks never come; it fails, and the thread ends, when their connections are closed.
  ///
  /// - Returns: whether the thread has ended.
  @discardableResult
  func end(seconds: Double = 5) -> Bool {
    pthread_mutex_lock(lock)
    isEnding = true
    unfinished -= jobs.count
    jobs = []
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(lock)
    return ended.wait(seconds: seconds)
  }

  private func run() {
    // The cores are for the threads that compute.
    TorchRuntime.threadCount = 1
    while let job = next() {
      var error: (any Error)?
      do { try withErrorScope { try withoutGradients(job) } } catch let thrown { error = thrown }
      finish(error)
    }
    ended.signal()
  }

  private func next() -> (() throws -> Void)? {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    while jobs.isEmpty, !isEnding { pthread_cond_wait(changed, lock) }
    return jobs.isEmpty ? nil : jobs.removeFirst()
  }

  private func finish(_ error: (any Error)?) {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    unfinished -= 1
    if let error, failure == nil {
      failure = error
      unfinished -= jobs.count
      jobs = []
    }
    pthread_cond_broadcast(changed)
  }
}

/// A thread that could not be started.
enum CommunicationError: Error, CustomStringConvertible {
  case noThread(name: String, code: Int32)

  var description: String {
    switch self {
    case .noThread(let name, let code):
      "the thread '\(name)' for communication cannot be started: \(String(cString: strerror(code)))"
    }
  }
}

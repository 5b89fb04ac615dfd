internal import Synchronization
internal import Torch
internal import TorchDistributed

/// The thread that averages weights over the ranks at an interval of time.
///
/// Before each averaging the ranks take the minimum of their wishes to stop: the thread ends when all have it, after every
/// rank has taken over the mean of the weights. A rank that wants to stop goes on with the others until then, without
/// waiting for the interval.
final class ModelAverager: @unchecked Sendable {
  /// Who may touch the weights.
  let lock = WeightLock()
  private let group: ProcessGroup
  private let buckets: [BaguaBucket]
  private let seconds: Double
  private let timeout: Double
  private let wake = Event()
  private let ended = Event()
  private let isAborting = Atomic<Bool>(false)
  private let isCancelled = Atomic<Bool>(false)
  private let averagings = Atomic<Int>(0)
  private let failure = Mutex<(any Error)?>(nil)
  /// Whether there is a thread; known to the training thread alone.
  private(set) var isRunning = false

  /// - Parameters:
  ///   - group: used by this thread only while it runs.
  ///   - seconds: from one averaging to the next.
  ///   - timeout: how long the others may take to agree on the end.
  init(_ group: ProcessGroup, _ buckets: [BaguaBucket], seconds: Double, timeout: Double) {
    self.group = group
    self.buckets = buckets
    self.seconds = seconds
    self.timeout = timeout
  }

  /// How often the weights were averaged while training went on.
  var count: Int { averagings.load(ordering: .relaxed) }

  /// Starts the thread unless it runs.
  func start() throws {
    guard !isRunning else { return }
    isAborting.store(false, ordering: .relaxed)
    wake.reset()
    ended.reset()
    let code = BackgroundThread.start("bagua-async") { [self] in run() }
    if code != 0 { throw CommunicationError.noThread(name: "bagua-async", code: code) }
    isRunning = true
  }

  /// Throws the error that ended the thread, if one did.
  func check() throws {
    if let error = failure.withLock({ $0 }) { throw error }
  }

  /// Ends the thread with those of the other ranks, and waits for it.
  func abort() throws {
    guard isRunning else { return }
    isAborting.store(true, ordering: .relaxed)
    wake.signal()
    // The collective under way fails by itself after the time limit.
    guard ended.wait(seconds: timeout + 5) else {
      throw DistributedError(
        operation: "the end of asynchronous averaging", rank: group.rank,
        message: "the other ranks did not agree within \(timeout) s")
    }
    isRunning = false
    try check()
  }

  /// Ends the thread without asking anyone. The ranks whose threads go on notice that the connection is closed.
  func cancel() {
    isCancelled.store(true, ordering: .relaxed)
    lock.unlockForTraining()
    wake.signal()
    if isRunning { ended.wait(seconds: 2 * seconds + 5) }
    isRunning = false
  }

  private func run() {
    TorchRuntime.threadCount = 1
    do {
      try withErrorScope { try withoutGradients { try average() } }
    } catch {
      failure.withLock { $0 = error }
    }
    ended.signal()
  }

  private func average() throws {
    while true {
      wake.wait(seconds: seconds)
      if isCancelled.load(ordering: .relaxed) { return }
      let wish = Tensor([isAborting.load(ordering: .relaxed) ? 1 : 0])
      try group.allReduce(wish, by: .minimum)
      if isCancelled.load(ordering: .relaxed) { return }
      if try wish.integer() == 1 { return try unite() }
      for bucket in buckets { try average(bucket) }
      averagings.wrappingAdd(1, ordering: .relaxed)
    }
  }

  /// Gives all ranks, whose training has stopped, the same weights.
  private func unite() throws {
    for bucket in buckets {
      let weights = bucket.parameters.map(\.tensor)
      bucket.fill(from: weights)
      try group.allReduce(bucket.flat, by: .mean)
      lock.averaging {
        if !isCancelled.load(ordering: .relaxed) { bucket.spill(into: weights) }
      }
    }
  }

  private func average(_ bucket: BaguaBucket) throws {
    let weights = bucket.parameters.map(\.tensor)
    let copy = lock.averaging {
      bucket.fill(from: weights)
      return bucket.flat.clone()
    }
    try group.allReduce(bucket.flat, by: .sum)
    bucket.flat.divide(by: Scalar(group.size))
    bucket.flat.add(copy, scaledBy: -1)
    lock.averaging {
      if !isCancelled.load(ordering: .relaxed) { Aten._foreach_add_(weights, other: bucket.views) }
    }
  }
}

/// The state behind a progress bar: an outer stage, at times a stage nested in it, and the shown metrics.
///
/// Times are seconds on any monotonic clock and are passed in, so that the type has no clock of its own.
struct ProgressTracker: Sendable {
  private struct Bar: Sendable {
    var snapshot: ProgressSnapshot
    var start: Double
    var initial: Int
    var rate: RateEstimator

    func elapsed(at time: Double) -> Double { max(time - start, 0) }
  }

  private var outer: Bar?
  private var nested: Bar?
  private var nestedStart = 0.0
  private var metrics: [(name: String, value: Double)] = []
  private var runStart: Double?
  private var runCompleted = 0

  /// Whether a stage is under way.
  var isActive: Bool { outer != nil }

  mutating func start(
    _ stage: ProgressBar.Stage, total: Int?, epoch: Int, totalEpochs: Int?, completed: Int, at time: Double
  ) {
    var snapshot = ProgressSnapshot(stage: stage)
    snapshot.epoch = epoch
    snapshot.totalEpochs = totalEpochs
    snapshot.total = total
    snapshot.completed = completed
    let bar = Bar(
      snapshot: snapshot, start: time, initial: completed, rate: RateEstimator(count: completed, time: time))
    if outer?.snapshot.stage == .train, stage != .train {
      nested = bar
      nestedStart = time
    } else {
      outer = bar
      nested = nil
      if stage == .train, runStart == nil { runStart = time }
    }
  }

  mutating func advance(to completed: Int) {
    if nested != nil {
      nested!.snapshot.completed = completed
    } else if outer != nil {
      outer!.snapshot.completed = completed
    }
  }

  mutating func setMetric(_ name: String, _ value: Double) {
    for index in metrics.indices where metrics[index].name == name {
      metrics[index].value = value
      return
    }
    metrics.append((name, value))
  }

  mutating func removeMetrics() {
    metrics.removeAll()
  }

  /// Ends the innermost stage; returns its last snapshot when it was the outer one.
  mutating func finish(at time: Double) -> ProgressSnapshot? {
    if nested != nil {
      nested = nil
      let pause = time - nestedStart
      outer!.start += pause
      outer!.rate.resume(count: outer!.snapshot.completed, time: time)
      return nil
    }
    guard let ended = outer else { return nil }
    outer = nil
    var last = ended.snapshot
    last.elapsed = ended.elapsed(at: time)
    let batches = last.completed - ended.initial
    last.rate = last.elapsed > 0 && batches > 0 ? Double(batches) / last.elapsed : nil
    last.metrics = metrics
    last.isFinished = true
    if last.stage == .train { runCompleted += batches }
    return last
  }

  /// Observes the rates and writes what is to be shown, outermost first, into `snapshots`.
  ///
  /// The metrics are copied one by one: sharing the array would make the next `setMetric` copy it.
  mutating func sample(at time: Double, into snapshots: inout [ProgressSnapshot]) {
    snapshots.removeAll(keepingCapacity: true)
    guard outer != nil else { return }
    let outerTime = nested == nil ? time : nestedStart
    outer!.rate.observe(count: outer!.snapshot.completed, time: outerTime)
    snapshots.append(Self.shown(outer!, at: outerTime))
    snapshots[0].runRemaining = runRemaining(of: outer!, at: time)
    snapshots[0].metrics.append(contentsOf: metrics)
    if nested != nil {
      nested!.rate.observe(count: nested!.snapshot.completed, time: time)
      snapshots.append(Self.shown(nested!, at: time))
    }
  }

  private static func shown(_ bar: Bar, at time: Double) -> ProgressSnapshot {
    var snapshot = bar.snapshot
    snapshot.elapsed = bar.elapsed(at: time)
    snapshot.rate = bar.rate.rate
    if let total = snapshot.total, let rate = snapshot.rate {
      snapshot.remaining = Double(max(total - snapshot.completed, 0)) / rate
    }
    return snapshot
  }

  /// Extrapolates the whole run from all time since its first batch, validation and checkpoints included.
  private func runRemaining(of bar: Bar, at time: Double) -> Double? {
    let snapshot = bar.snapshot
    guard snapshot.stage == .train, let total = snapshot.total, let epochs = snapshot.totalEpochs, let runStart,
      snapshot.epoch + 1 < epochs
    else { return nil }
    let done = runCompleted + snapshot.completed - bar.initial
    let left = max(total - snapshot.completed, 0) + total * (epochs - snapshot.epoch - 1)
    return done > 0 ? (time - runStart) / Double(done) * Double(left) : nil
  }
}

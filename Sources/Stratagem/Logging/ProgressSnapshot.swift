/// All that a progress line shows, at one moment.
struct ProgressSnapshot: Sendable {
  var stage: ProgressBar.Stage
  /// Counted from 0.
  var epoch = 0
  var totalEpochs: Int?
  /// Batches done.
  var completed = 0
  var total: Int?
  /// Seconds spent in this stage, without nested stages.
  var elapsed = 0.0
  /// Batches per second.
  var rate: Double?
  /// Seconds to the end of the epoch.
  var remaining: Double?
  /// Seconds to the end of the run.
  var runRemaining: Double?
  var metrics: [(name: String, value: Double)] = []
  var isFinished = false
}

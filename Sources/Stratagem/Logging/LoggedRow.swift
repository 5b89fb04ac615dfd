import Glibc

/// The metrics that one call of the training loop hands to the loggers.
public struct LoggedRow: Sendable {
  /// The epoch, counted from 0.
  public var epoch: Int

  /// The optimizer step during which the values were computed, counted from 0.
  ///
  /// The first training batch logs step 0; values of a validation that runs after the k-th step log step k-1, as in
  /// PyTorch Lightning. A run resumed from a checkpoint whose `global_step` is k therefore continues with step k.
  public var step: Int

  /// Names and values in the order in which they were logged; a name occurs once.
  public var values: [(name: String, value: MetricNumber)]

  /// When the values were logged, in seconds since 1970.
  public var time: Double

  /// Makes a row.
  ///
  /// - Parameter time: seconds since 1970; now when left out.
  public init(epoch: Int, step: Int, values: [(name: String, value: MetricNumber)], time: Double? = nil) {
    self.epoch = epoch
    self.step = step
    self.values = values
    self.time = time ?? Self.now
  }

  /// Seconds since 1970.
  package static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}

public import TorchOptim

/// The optimizer of a module and its learning-rate schedule, as `configureOptimizers()` returns them.
public struct OptimizerPlan {
  /// When a schedule advances.
  public enum Interval: String, Sendable {
    case step, epoch
  }

  /// A schedule and when it advances.
  public struct Schedule {
    public let schedule: LearningRateSchedule
    public let interval: Interval
    /// Advance every so many steps or epochs; at least 1.
    public let frequency: Int
    /// The metric that a plateau schedule watches.
    public let monitor: String?
  }

  public let optimizer: Optimizer
  public let schedules: [Schedule]

  /// - Parameters:
  ///   - schedule: what changes the learning rate; nil for a constant one.
  ///   - every: whether it advances with optimizer steps or with epochs.
  ///   - frequency: advance every so many of them.
  ///   - monitor: the metric that a plateau schedule watches.
  public init(
    _ optimizer: Optimizer, schedule: LearningRateSchedule? = nil, every interval: Interval = .epoch,
    frequency: Int = 1, monitor: String? = nil
  ) {
    precondition(frequency > 0, "a schedule advances every \(frequency) \(interval)s; give at least 1")
    self.optimizer = optimizer
    schedules =
      schedule.map { [Schedule(schedule: $0, interval: interval, frequency: frequency, monitor: monitor)] } ?? []
  }
}

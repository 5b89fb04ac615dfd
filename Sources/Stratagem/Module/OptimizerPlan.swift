public import TorchOptim

/// The optimizers of a module and their learning-rate schedules, as `configureOptimizers()` returns them.
///
/// One optimizer is stepped by the trainer. Several, as for a GAN, need a module that steps them itself; see
/// ``AnyLightningModule/automaticOptimization``.
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
    /// Whether a missing metric is an error; otherwise the schedule stays where it is.
    public let strict: Bool
    /// What ``LearningRateMonitor`` calls it; nil for a name made of the optimizer's.
    public let name: String?

    /// - Parameters:
    ///   - interval: whether it advances with optimizer steps or with epochs.
    ///   - frequency: advance every so many of them.
    ///   - monitor: the metric that a plateau schedule watches.
    ///   - strict: whether a missing metric is an error.
    ///   - name: what it is called in logs.
    public init(
      _ schedule: LearningRateSchedule, every interval: Interval = .epoch, frequency: Int = 1, monitor: String? = nil,
      strict: Bool = true, name: String? = nil
    ) {
      precondition(frequency > 0, "a schedule advances every \(frequency) \(interval)s; give at least 1")
      self.schedule = schedule
      self.interval = interval
      self.frequency = frequency
      self.monitor = monitor
      self.strict = strict
      self.name = name
    }
  }

  public let optimizers: [Optimizer]
  public let schedules: [Schedule]

  /// A plan of one optimizer and at most one schedule.
  ///
  /// - Parameters:
  ///   - schedule: what changes the learning rate; nil for a constant one.
  ///   - every: whether it advances with optimizer steps or with epochs.
  ///   - frequency: advance every so many of them.
  ///   - monitor: the metric that a plateau schedule watches.
  public init(
    _ optimizer: Optimizer, schedule: LearningRateSchedule? = nil, every interval: Interval = .epoch,
    frequency: Int = 1, monitor: String? = nil
  ) {
    self.init(
      [optimizer],
      schedules: schedule.map { [Schedule($0, every: interval, frequency: frequency, monitor: monitor)] } ?? [])
  }

  /// A plan of any number of optimizers and schedules.
  public init(_ optimizers: [Optimizer], schedules: [Schedule] = []) {
    self.optimizers = optimizers
    self.schedules = schedules
  }
}

public import Stratagem

/// The values that a program's flags have when they are not given.
public struct TrainingDefaults: Sendable {
  /// The metric by which the best checkpoint is chosen.
  public struct Monitor: Sendable, Hashable {
    public let metric: String
    public let mode: ModelCheckpoint.Mode

    /// The checkpoint with the largest value, such as an accuracy, is the best.
    public static func highest(_ metric: String) -> Monitor { Monitor(metric: metric, mode: .maximum) }

    /// The checkpoint with the smallest value, such as a loss, is the best.
    public static func lowest(_ metric: String) -> Monitor { Monitor(metric: metric, mode: .minimum) }
  }

  /// Samples in a batch of each rank.
  public var batchSize: Int
  /// Passes over the data; nil when only `maxSteps` ends training.
  public var epochs: Int?
  /// Optimizer steps; nil when only `epochs` ends training.
  public var maxSteps: Int?
  public var optimizer: OptimizerKind
  /// The learning rate of `optimizer`; another optimizer starts from its own usual one.
  public var learningRate: Double
  /// The momentum of SGD.
  public var momentum: Double
  /// What the best checkpoint is chosen by; nil to keep the last one only.
  public var monitor: Monitor?

  public init(
    batchSize: Int, epochs: Int? = nil, maxSteps: Int? = nil, optimizer: OptimizerKind, learningRate: Double,
    momentum: Double = 0.9, monitor: Monitor? = nil
  ) {
    self.batchSize = batchSize
    self.epochs = epochs
    self.maxSteps = maxSteps
    self.optimizer = optimizer
    self.learningRate = learningRate
    self.momentum = momentum
    self.monitor = monitor
  }
}

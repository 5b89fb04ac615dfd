public import Stratagem
public import Torch
public import TorchNN
internal import TorchOptim

/// What the flags say about the optimizer and its learning rate.
public struct OptimizerSettings {
  public var kind: OptimizerKind
  public var learningRate: Double
  /// The momentum of SGD; the others do not use it.
  public var momentum: Double
  public var weightDecay: Double
  public var schedule: ScheduleKind

  /// The optimizer steps of the whole run, which the cosine schedule has to know.
  var totalSteps: (() throws -> Int)?

  public init(
    _ kind: OptimizerKind, learningRate: Double, momentum: Double = 0, weightDecay: Double? = nil,
    schedule: ScheduleKind = .none
  ) {
    self.kind = kind
    self.learningRate = learningRate
    self.momentum = momentum
    self.weightDecay = weightDecay ?? kind.usualWeightDecay
    self.schedule = schedule
  }

  /// The optimizer of all parameters of `module` and its schedule: what `configureOptimizers()` returns.
  public func plan(for module: Module) throws -> OptimizerPlan {
    let optimizer: Optimizer =
      switch kind {
      case .sgd: SGD(module, learningRate: learningRate, momentum: momentum, weightDecay: weightDecay)
      case .adam: Adam(module, learningRate: learningRate, weightDecay: weightDecay)
      case .adamw: AdamW(module, learningRate: learningRate, weightDecay: weightDecay)
      }
    switch schedule {
    case .none: return OptimizerPlan(optimizer)
    case .step: return OptimizerPlan(optimizer, schedule: StepLR(optimizer, stepSize: 1, gamma: 0.5), every: .epoch)
    case .cosine:
      guard let totalSteps else {
        throw ConfigurationError("schedule", "a cosine schedule needs the number of steps, which only fit knows")
      }
      return OptimizerPlan(
        optimizer, schedule: CosineAnnealingLR(optimizer, maximumSteps: try totalSteps()), every: .step)
    }
  }

  /// The settings as `hyper_parameters` of a checkpoint, by PyTorch's names.
  public var archive: ArchiveDictionary {
    var archive: ArchiveDictionary = ["optimizer": .string(kind.rawValue), "lr": .double(learningRate)]
    if kind == .sgd { archive["momentum"] = .double(momentum) }
    archive["weight_decay"] = .double(weightDecay)
    archive["schedule"] = .string(schedule.rawValue)
    return archive
  }

  /// The optimizer steps of a run.
  ///
  /// - Parameters:
  ///   - batches: batches of an epoch on each rank.
  ///   - accumulate: batches of an optimizer step; the last step of an epoch may have fewer.
  /// - Throws: `ConfigurationError` when neither epochs nor steps limit it.
  static func totalSteps(
    batches: Int, accumulate: Int, epochs: Int?, maxSteps: Int?
  ) throws(ConfigurationError) -> Int {
    if epochs == nil, maxSteps == nil {
      throw ConfigurationError(
        "schedule", "a cosine schedule needs the number of steps, but nothing limits epochs or steps",
        suggestion: "give --epochs or --max-steps, or another schedule")
    }
    let perEpoch = (batches + accumulate - 1) / accumulate
    return max(1, min(epochs.map { $0 * perEpoch } ?? .max, maxSteps ?? .max))
  }
}

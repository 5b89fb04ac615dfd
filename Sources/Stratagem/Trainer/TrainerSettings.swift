internal import Torch

/// The arguments of a trainer that concern its loops.
public struct TrainerSettings: Sendable {
  /// When training ends; 1000 epochs when neither this nor another limit is given.
  public var until: TrainingDuration?
  /// Ends training after so many optimizer steps if that comes earlier.
  public var maxSteps: Int?
  /// Ends training after so much wall clock if that comes earlier.
  public var maxTime: Duration?
  /// Epochs and steps before which nothing but the limits above ends training.
  public var minEpochs: Int?
  public var minSteps: Int?
  /// Batches whose gradients are added up before an optimizer step.
  public var accumulate = 1
  public var clipNorm: Double?
  public var clipValue: Double?
  public var limitTrainBatches: Limit = .all
  public var limitValidationBatches: Limit = .all
  public var limitTestBatches: Limit = .all
  public var limitPredictBatches: Limit = .all
  /// Train and validate on these batches of the training data, the same in every epoch; nil for a normal run.
  public var overfitBatches: Limit?
  /// Batches of each kind in a dry run; 0 for a real one.
  public var fastDevRun = 0
  /// After how much of an epoch to validate: a fraction of it, or a number of batches.
  public var validationInterval: Limit = .all
  /// Validate in every so many epochs; nil to count the batches of `validationInterval` across epochs.
  public var validateEveryEpochs: Int? = 1
  /// Validation batches tried before training; -1 for all.
  public var sanityBatches = 2
  /// Steps from one row for the loggers to the next; 0 for none.
  public var logInterval = 1
  /// Ask for new loaders in every so many epochs; 0 to keep those of the start.
  public var reloadLoadersEveryEpochs = 0
  /// Whether samples are dealt to the ranks; otherwise every rank uses its loaders as they are.
  public var useDistributedSampler = true
  public var nonFiniteLoss = NonFiniteLoss.stop
  public var determinism = Determinism.off
  /// Names the forward operation whose backward makes a NaN; slow.
  public var detectAnomaly = false
  /// Whether evaluation runs in inference mode; otherwise it only records no gradients.
  public var inferenceMode = true
  /// Whether data are prepared on every node; otherwise on the first one only.
  public var prepareDataPerNode = true
  /// What all random numbers and orders of samples start from; nil for a seed drawn on rank 0 where none is given.
  public var seed: UInt64?

  public init() {}

  /// Epochs of a fit for which nothing else is said, as in Lightning.
  static let defaultEpochs = 1000

  /// When training ends: what was said, or the default.
  var effectiveUntil: TrainingDuration? {
    until ?? (maxSteps == nil && maxTime == nil ? .epochs(TrainerSettings.defaultEpochs) : nil)
  }

  /// The epochs after which training ends at the latest, when that is what limits it.
  var totalEpochs: Int? {
    guard case .epochs(let epochs) = effectiveUntil else { return nil }
    return epochs
  }

  /// What is wrong with the settings that the plan of a run does not look at.
  var problems: [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    func require(_ name: String, _ value: Int?, atLeast least: Int, _ hint: String) {
      guard let value, value < least else { return }
      problems.append(.init(name, "\(name) is \(value)", suggestion: "give at least \(least)\(hint)"))
    }
    require("maxSteps", maxSteps, atLeast: 1, ", or leave it out")
    require("minSteps", minSteps, atLeast: 1, ", or leave it out")
    require("minEpochs", minEpochs, atLeast: 1, ", or leave it out")
    require("reloadLoadersEveryEpochs", reloadLoadersEveryEpochs, atLeast: 0, "; 0 keeps the loaders")
    require(
      "validateEveryEpochs", validateEveryEpochs, atLeast: 1, "; limitValidationBatches: 0 switches validation off")
    if let maxTime, maxTime < .zero {
      problems.append(.init("maxTime", "maxTime is \(maxTime)", suggestion: "give a duration of zero or more"))
    }
    if validateEveryEpochs == nil, case .batches = validationInterval {
    } else if validateEveryEpochs == nil {
      problems.append(
        .init(
          "validateEveryEpochs", "validateEveryEpochs is nil, but validationInterval is \(validationInterval)",
          suggestion: "count batches across epochs: give validationInterval a whole number of batches"))
    }
    return problems
  }

  /// Runs a part of an evaluation, which records no gradients.
  func withEvaluationMode<Result>(_ body: () throws -> Result) rethrows -> Result {
    inferenceMode ? try withInferenceMode(body) : try withoutGradients(body)
  }

  /// The callbacks of a run in the order in which they are called: checkpoints come last, so that they contain what the
  /// others did. A dry run judges nothing and writes nothing.
  func ordered(_ callbacks: [Callback]) -> [Callback] {
    let others = callbacks.filter { !($0 is ModelCheckpoint) }
    if fastDevRun > 0 { return others.filter { !$0.isMonitoring } }
    return others + callbacks.filter { $0 is ModelCheckpoint }
  }

  /// The settings of a dry run, if it is one: so many batches of each kind, one epoch, nothing tried before.
  func forDryRun() -> TrainerSettings {
    guard fastDevRun > 0 else { return self }
    var settings = self
    settings.until = .epochs(1)
    settings.maxSteps = nil
    settings.minEpochs = nil
    settings.minSteps = nil
    settings.sanityBatches = 0
    settings.validationInterval = .all
    settings.validateEveryEpochs = 1
    settings.logInterval = 1
    settings.limitTrainBatches = .batches(fastDevRun)
    settings.limitValidationBatches = .batches(fastDevRun)
    settings.limitTestBatches = .batches(fastDevRun)
    settings.limitPredictBatches = .batches(fastDevRun)
    return settings
  }
}

internal import Stratagem

/// The arguments of a trainer as settings.
struct TrainerConfiguration: Codable {
  var strategy = StrategySetting("auto")
  var accelerator = "auto"
  var devices = DevicesSetting(.auto)
  var numNodes = 1
  var precision: String?
  var until: DurationSetting?
  var epochs: Int?
  var maxSteps: Int?
  var maxTime: TimeSetting?
  var minEpochs: Int?
  var minSteps: Int?
  var accumulate = 1
  var clipNorm: Double?
  var clipValue: Double?
  var limitTrainBatches = LimitSetting(.all)
  var limitValidationBatches = LimitSetting(.all)
  var limitTestBatches = LimitSetting(.all)
  var limitPredictBatches = LimitSetting(.all)
  var overfitBatches: LimitSetting?
  var fastDevRun = BatchCountSetting(0)
  var validationInterval = LimitSetting(.all)
  var validateEveryEpochs: Int? = 1
  var sanityBatches = 2
  var logInterval = 1
  var reloadLoadersEveryEpochs = 0
  var useDistributedSampler = true
  var syncBatchNorm = false
  var deterministic = DeterminismSetting(.off)
  var benchmark = false
  var detectAnomaly = false
  var inferenceMode = true
  var prepareDataPerNode = true
  var nonFiniteLoss = NamedSetting(NonFiniteLoss.stop)
  var stateDictType: NamedSetting<StateDictType>?
  var output: String?
  var progress: NamedSetting<ProgressBar.Mode>?

  /// When training ends, apart from `maxSteps`.
  var duration: TrainingDuration? { until?.value ?? epochs.map { .epochs($0) } }

  /// The epochs after which training ends at the latest, when that is what limits it.
  var totalEpochs: Int? { if case .epochs(let epochs) = duration { epochs } else { nil } }

  /// The optimizer steps after which training ends at the latest, when that is what limits it.
  var totalSteps: Int? {
    guard case .steps(let steps) = duration else { return maxSteps }
    return min(steps, maxSteps ?? steps)
  }

  /// Whether no validation batch is ever to be used.
  var skipsValidation: Bool { [.batches(0), .fraction(0)].contains(limitValidationBatches.value) }

  /// Checks what no trainer has a word for, because it does not know the settings by these names.
  func check(_ check: inout SettingCheck) {
    check.require("trainer.epochs", epochs, atLeast: 1)
    check.require("trainer.maxSteps", maxSteps, atLeast: 1)
    check.require("trainer.minEpochs", minEpochs, atLeast: 0)
    check.require("trainer.minSteps", minSteps, atLeast: 0)
    check.require("trainer.logInterval", logInterval, atLeast: 1)
    check.require("trainer.reloadLoadersEveryEpochs", reloadLoadersEveryEpochs, atLeast: 0)
    check.require("trainer.accumulate", accumulate, atLeast: 1)
    check.require("trainer.validateEveryEpochs", validateEveryEpochs, atLeast: 1)
    check.require("trainer.sanityBatches", sanityBatches, atLeast: -1)
    check.require("trainer.numNodes", numNodes, atLeast: 1)
    check.require("trainer.clipNorm", clipNorm, positive: true)
    check.require("trainer.clipValue", clipValue, positive: true)
    check.exclude("trainer.until", until != nil, "trainer.epochs", epochs != nil)
  }

  /// Makes the trainer of a fit.
  func makeTrainer(callbacks: [Callback], loggers: [any MetricLogger], output: String) throws -> Trainer {
    try Trainer(
      strategy: try strategy.resolve(), accelerator: accelerator, devices: devices.value, numNodes: numNodes,
      precision: chosenPrecision, until: duration, maxSteps: maxSteps, maxTime: maxTime?.value, minEpochs: minEpochs,
      minSteps: minSteps, accumulate: accumulate, clipNorm: clipNorm, clipValue: clipValue,
      limitTrainBatches: limitTrainBatches.value, limitValidationBatches: limitValidationBatches.value,
      limitTestBatches: limitTestBatches.value, limitPredictBatches: limitPredictBatches.value,
      overfitBatches: overfitBatches?.value, fastDevRun: fastDevRun.value,
      validationInterval: validationInterval.value, validateEveryEpochs: validateEveryEpochs,
      sanityBatches: sanityBatches, logInterval: logInterval, reloadLoadersEveryEpochs: reloadLoadersEveryEpochs,
      useDistributedSampler: useDistributedSampler, syncBatchNorm: syncBatchNorm, deterministic: deterministic.value,
      benchmark: benchmark, detectAnomaly: detectAnomaly, inferenceMode: inferenceMode,
      prepareDataPerNode: prepareDataPerNode, nonFiniteLoss: nonFiniteLoss.value, callbacks: callbacks,
      loggers: loggers, checkpointing: false, stateDictType: stateDictType?.value, output: output,
      progress: progress?.value)
  }

  /// Makes the trainer of a verb without training, which writes no files.
  func makeEvaluator() throws -> Trainer {
    try Trainer(
      strategy: try strategy.resolve(), accelerator: accelerator, devices: devices.value, numNodes: numNodes,
      precision: chosenPrecision, limitValidationBatches: limitValidationBatches.value,
      limitTestBatches: limitTestBatches.value, limitPredictBatches: limitPredictBatches.value,
      fastDevRun: fastDevRun.value, useDistributedSampler: useDistributedSampler, deterministic: deterministic.value,
      benchmark: benchmark, inferenceMode: inferenceMode, prepareDataPerNode: prepareDataPerNode, loggers: [],
      checkpointing: false, output: output, progress: progress?.value)
  }

  private var chosenPrecision: any PrecisionConvertible {
    guard let precision else { return .unspecified }
    return precision
  }
}

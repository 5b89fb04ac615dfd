internal import Stratagem

/// Everything that can be set about a run of a program.
struct RunConfiguration<HyperParameters: HyperParameterSet>: Codable {
  /// The data and how they become batches.
  struct Data: Codable {
    var path: String?
    var batchSize: Int
    var shuffle = true
  }

  /// The optimizer and its schedule.
  struct Optimizer: Codable {
    var name: NamedSetting<OptimizerKind>
    var lr: Double?
    var momentum: Double
    var weightDecay: Double?
    var schedule = NamedSetting(ScheduleKind.none)
  }

  /// Which checkpoints are written.
  struct Checkpoint: Codable {
    var enabled = true
    var monitor: String?
    var mode = NamedSetting(ModelCheckpoint.Mode.minimum)
    var keep: Int?
    var saveLast = true
    var saveWeightsOnly = false
    var fileName: String?
    var everyEpochs = 1
    var everySteps: Int?
    var everyInterval: TimeSetting?
    var saveOnException = false
  }

  var seed: UInt64 = 0
  var weights: String?
  var resume: String?
  var trainer = TrainerConfiguration()
  var data: Data
  var optimizer: Optimizer
  var checkpoint = Checkpoint()
  var model = HyperParameters()

  init(_ defaults: TrainingDefaults) {
    data = Data(batchSize: defaults.batchSize)
    optimizer = Optimizer(name: NamedSetting(defaults.optimizer), momentum: defaults.momentum)
    checkpoint.monitor = defaults.monitor?.metric
    checkpoint.mode.value = defaults.monitor?.mode ?? .minimum
  }

  /// Puts in what depends on other settings: the limit of training and what the optimizer usually takes.
  mutating func complete(_ defaults: TrainingDefaults) {
    if trainer.until == nil, trainer.epochs == nil, trainer.maxSteps == nil {
      trainer.epochs = defaults.epochs
      trainer.maxSteps = defaults.maxSteps
    }
    let kind = optimizer.name.value
    let isUsual = kind == defaults.optimizer
    optimizer.lr = optimizer.lr ?? (isUsual ? defaults.learningRate : kind.usualLearningRate)
    optimizer.weightDecay = optimizer.weightDecay ?? kind.usualWeightDecay
  }

  func check(_ check: inout SettingCheck) {
    trainer.check(&check)
    check.require("data.batchSize", data.batchSize, atLeast: 1)
    check.require("optimizer.lr", optimizer.lr)
    check.require("optimizer.momentum", optimizer.momentum)
    check.require("optimizer.weightDecay", optimizer.weightDecay)
    check.require("checkpoint.keep", checkpoint.keep, atLeast: -1)
    check.require("checkpoint.everyEpochs", checkpoint.everyEpochs, atLeast: 0)
    check.require("checkpoint.everySteps", checkpoint.everySteps, atLeast: 1)
  }

  /// What the program is told about its data.
  func dataSettings(_ stage: Stage) -> DataSettings {
    DataSettings(
      stage: stage, path: data.path, batchSize: data.batchSize, shuffle: stage == .fit && data.shuffle, seed: seed)
  }

  /// The optimizer and its schedule.
  var optimizerSettings: OptimizerSettings {
    let kind = optimizer.name.value
    return OptimizerSettings(
      kind, learningRate: optimizer.lr ?? kind.usualLearningRate, momentum: optimizer.momentum,
      weightDecay: optimizer.weightDecay, schedule: optimizer.schedule.value)
  }

  /// The callback that writes checkpoints to `output`.
  func modelCheckpoint(in output: String) -> ModelCheckpoint? {
    guard checkpoint.enabled else { return nil }
    return ModelCheckpoint(
      directory: output, monitor: checkpoint.monitor, mode: checkpoint.mode.value, keep: checkpoint.keep,
      saveLast: checkpoint.saveLast, saveWeightsOnly: checkpoint.saveWeightsOnly, fileName: checkpoint.fileName,
      everyEpochs: checkpoint.everyEpochs, everySteps: checkpoint.everySteps,
      everyInterval: checkpoint.everyInterval?.value, saveOnException: checkpoint.saveOnException)
  }
}

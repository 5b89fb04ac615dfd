internal import Torch
internal import TorchData
internal import TorchOptim

/// Training, epoch after epoch. One batch is in `FitLoop+Batch`, the data in `FitLoop+Data`, when to stop in
/// `FitLoop+Stop`.
final class FitLoop<Batch> {
  let trainer: Trainer
  let strategy: Strategy
  let model: LightningModule<Batch>
  let data: DataModule<Batch>
  let checkpoint: (contents: Checkpoint, path: String)?
  var loader: DataLoader<Batch>?
  /// Batches of an epoch; where ranks have different numbers of them, those of the rank that has most.
  var batchCount = 0
  /// Batches of an epoch that this rank has.
  var ownBatchCount = 0
  /// Whether ranks have different numbers of batches.
  var isUneven = false
  var validation: EvaluationLoop<Batch>?
  /// When the present stretch of training began, for `progress.seconds`.
  var clockStart = ContinuousClock.now
  /// What lets all ranks stop after the same step; nil where each may stop on its own.
  var agreement: StopAgreement?
  /// When the fit began, for `maxTime`.
  let fitStart = ContinuousClock.now

  init(
    trainer: Trainer, model: LightningModule<Batch>, data: DataModule<Batch>,
    resuming checkpoint: (Checkpoint, String)?
  ) {
    self.trainer = trainer
    strategy = trainer.strategy
    self.model = model
    self.data = data
    self.checkpoint = checkpoint.map { (contents: $0.0, path: $0.1) }
  }

  func run() throws {
    trainer.beginFit()
    defer {
      trainer.stopsTogether = false
      trainer.tearDown(.fit, model, data)
    }
    try trainer.prepare(.fit, model, data, checkpoint?.contents, checkpoint?.path)
    try checkOptimizers()
    if let checkpoint { try trainer.restoreTraining(checkpoint.contents, checkpoint.path) }
    try trainer.agreeOnSeed(checkpoint?.contents)
    try loadData()
    if let checkpoint { try trainer.findPlace(in: checkpoint.contents, checkpoint.path) }
    try startLoggers()
    try trainer.call({ try $0.onFitStart(self.trainer) }, { try $0.onFitStart() })
    prepareToStopTogether()
    try sanityCheck()
    try trainer.call({ try $0.onTrainStart(self.trainer) }, { try $0.onTrainStart() })
    try strategy.onTrainStart()
    if let checkpoint { try trainer.restoreGenerator(checkpoint.contents) }
    clockStart = .now
    while !isStopRequested() {
      try reloadIfDue()
      try epoch()
    }
    if let signal = try agreement?.finish() { try trainer.stop(signal) }
    try trainer.flushStepRows()
    trainer.metrics.end()
    trainer.passOverTrainingData = { [unowned self] in try self.passOverData() }
    defer { trainer.passOverTrainingData = nil }
    try trainer.call({ try $0.onTrainEnd(self.trainer) }, { try $0.onTrainEnd() })
    try strategy.onTrainEnd()
    try trainer.call({ try $0.onFitEnd(self.trainer) }, { try $0.onFitEnd() })
  }

  private func startLoggers() throws {
    trainer.hasStartedLoggers = true
    guard strategy.isGlobalZero else { return }
    let parameters = model.savedHyperParameters.compactMap { key, value -> (name: String, value: String)? in
      guard case .string(let name) = key else { return nil }
      return (name, value.stringValue ?? "\(value)")
    }
    for logger in trainer.loggers {
      try logger.start(resumingAt: checkpoint == nil ? nil : trainer.progress.globalStep)
      if !parameters.isEmpty { try logger.logHyperParameters(parameters) }
    }
  }

  private func sanityCheck() throws {
    let batches = trainer.settings.sanityBatches
    guard let validation, batches != 0, checkpoint == nil else { return }
    trainer.isSanityChecking = true
    defer { trainer.isSanityChecking = false }
    for callback in trainer.callbacks { try callback.onSanityCheckStart(trainer) }
    let generator = Generator.default
    let state = generator.state
    try validation.run(limit: batches < 0 ? nil : batches)
    generator.state = state
    for callback in trainer.callbacks { try callback.onSanityCheckEnd(trainer) }
  }

  private func epoch() throws {
    guard let loader else { return }
    let epoch = trainer.progress.epoch
    let start = trainer.progress.batch
    trainer.isEpochSkipped = false
    trainer.metrics.begin(defaultTargets: .step, epoch: epoch)
    try trainer.call({ try $0.onTrainEpochStart(self.trainer) }, { try $0.onTrainEpochStart() })
    if start > 0 {
      trainer.metrics.restore(
        checkpoint?.contents["stratagem"]?.dictionaryValue?["metrics"], rank: strategy.rank,
        worldSize: strategy.worldSize)
    }
    trainer.progressBar.start(
      stage: .train, totalBatches: batchCount, epoch: epoch, totalEpochs: trainer.settings.totalEpochs,
      completed: start)
    let batches = loader.iterator(epoch: epoch, startingAt: min(start, ownBatchCount))
    var index = start
    var isStopped = false
    while index < batchCount, !isStopped {
      if index < ownBatchCount {
        guard let loaded = try batches.next() else {
          throw TrainingError.noData("the loader ended after \(index) of \(ownBatchCount) batches in epoch \(epoch)")
        }
        try batch(loaded, index, isLast: index + 1 == batchCount)
      } else {
        try joinBatch(index, isLast: index + 1 == batchCount)
      }
      if trainer.progress.batch == index { break }
      index += 1
      if index < batchCount, isValidationDue(after: index) {
        try validate()
        try advanceStepPlateaus()
      }
      if trainer.isEpochSkipped { break }
      // A window of accumulated batches is finished first: what it has gathered is in no checkpoint.
      if trainer.isStepBoundary { isStopped = isStopRequested() }
    }
    try finish(epoch, isComplete: index == batchCount || trainer.isEpochSkipped, isCut: index < batchCount)
  }

  /// - Parameter isCut: whether the rest of the epoch was skipped.
  private func finish(_ epoch: Int, isComplete: Bool, isCut: Bool) throws {
    trainer.progress.seconds += takeSeconds()
    try trainer.flushStepRows()
    guard isComplete else { return trainer.progressBar.finish() }
    try trainer.settleEpoch()
    if isCut ? isValidationDueAfterSkip : isValidationDue(after: batchCount) {
      try validate()
      if !isCut { try advanceStepPlateaus() }
    }
    trainer.progressBar.finish()
    trainer.progress.epoch += 1
    trainer.progress.batch = 0
    try advancePlateaus(.epoch, count: trainer.progress.epoch)
    // As in Lightning, what judges metrics and writes checkpoints comes after the module, and sees what it did.
    for callback in trainer.callbacks where !callback.comesAfterModule { try callback.onTrainEpochEnd(trainer) }
    try model.onTrainEpochEnd()
    try trainer.settleEpoch()
    for callback in trainer.callbacks where callback.comesAfterModule { try callback.onTrainEpochEnd(trainer) }
    if strategy.isGlobalZero { for logger in trainer.loggers { try logger.flush() } }
    trainer.metrics.end()
    clockStart = .now
  }

  private func validate() throws {
    guard let validation else { return }
    try trainer.flushStepRows()
    try validation.run()
    try stopIfInterrupted()
  }
}

extension Callback {
  fileprivate var comesAfterModule: Bool { isMonitoring || self is ModelCheckpoint }
}

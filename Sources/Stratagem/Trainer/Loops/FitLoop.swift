internal import Torch
internal import TorchData
internal import TorchOptim

/// Training, epoch after epoch. One batch is in `FitLoop+Batch`, when to stop in `FitLoop+Stop`.
final class FitLoop<Batch> {
  let trainer: Trainer
  let strategy: Strategy
  let model: LightningModule<Batch>
  let accumulate: Int
  private let data: DataModule<Batch>
  private let checkpoint: (contents: Checkpoint, path: String)?
  private var validation: EvaluationLoop<Batch>?
  /// When the present stretch of training began, for `progress.seconds`.
  var clockStart = ContinuousClock.now

  init(
    trainer: Trainer, model: LightningModule<Batch>, data: DataModule<Batch>,
    resuming checkpoint: (Checkpoint, String)?
  ) {
    self.trainer = trainer
    strategy = trainer.strategy
    self.model = model
    self.data = data
    self.checkpoint = checkpoint.map { (contents: $0.0, path: $0.1) }
    accumulate = trainer.settings.accumulate
  }

  func run() throws {
    trainer.beginFit()
    try trainer.prepare(.fit, model, data, checkpoint?.contents, checkpoint?.path)
    defer { trainer.tearDown(.fit, model, data) }
    if let checkpoint { try trainer.restoreTraining(checkpoint.contents, checkpoint.path) }
    let loader = try trainingLoader()
    let batchCount = try numberOfBatches(loader)
    if let checkpoint { try trainer.findPlace(in: checkpoint.contents, checkpoint.path) }
    validation = try validationLoop()
    try startLoggers()
    try trainer.call({ try $0.onFitStart(self.trainer) }, { try $0.onFitStart() })
    try sanityCheck()
    try trainer.call({ try $0.onTrainStart(self.trainer) }, { try $0.onTrainStart() })
    if let checkpoint { try trainer.restoreGenerator(checkpoint.contents) }
    clockStart = .now
    while !isStopRequested() { try epoch(loader, batchCount) }
    try trainer.flushStepRows()
    try trainer.call({ try $0.onTrainEnd(self.trainer) }, { try $0.onTrainEnd() })
    try trainer.call({ try $0.onFitEnd(self.trainer) }, { try $0.onFitEnd() })
  }

  private func trainingLoader() throws -> DataLoader<Batch> {
    guard let loader = try withErrorScope({ try data.trainingLoader() }) else {
      throw TrainingError.noData("fit needs training data: override trainingLoader() of \(type(of: data))")
    }
    guard strategy.worldSize > 1 else { return loader }
    return loader.distributed(worldSize: strategy.worldSize, rank: strategy.rank, policy: .padded)
  }

  private func numberOfBatches(_ loader: DataLoader<Batch>) throws -> Int {
    let limit = trainer.settings.limitTrainBatches
    let count = try limit.count(of: loader.batchCount, parameter: "limitTrainBatches") ?? loader.batchCount
    let counts = try strategy.allGather(object: count)
    guard counts.allSatisfy({ $0 == counts[0] }) else { throw TrainingError.unequalBatches(counts: counts) }
    if count == 0 {
      throw TrainingError.noData(
        loader.batchCount > 0
          ? "limitTrainBatches leaves no batch to train on; give at least 1"
          : "an epoch has no batches: \(loader.sampleCount) samples on each rank, batch size \(loader.batchSize)"
            + (loader.dropLast ? ", and the short last batch is dropped" : "")
            + "; use a smaller batch size or more data")
    }
    trainer.layout = BatchLayout(worldSize: strategy.worldSize, batchSize: loader.batchSize, batchCount: count)
    return count
  }

  /// Nil when there is nothing to validate on.
  private func validationLoop() throws -> EvaluationLoop<Batch>? {
    guard let loader = try withErrorScope({ try data.validationLoader() }) else { return nil }
    // Decided by the limit alone: a rank without samples of its own validates with the others.
    let limit = trainer.settings.limitValidationBatches
    if limit == .batches(0) || limit == .fraction(0) { return nil }
    return EvaluationLoop(trainer: trainer, model: model, loader: loader, stage: .fit)
  }

  private func startLoggers() throws {
    trainer.hasStartedLoggers = true
    guard strategy.isGlobalZero else { return }
    let parameters = model.hyperParameterArchive.compactMap { key, value -> (name: String, value: String)? in
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

  private func epoch(_ loader: DataLoader<Batch>, _ batchCount: Int) throws {
    let epoch = trainer.progress.epoch
    let start = trainer.progress.batch
    trainer.metrics.begin(defaultTargets: .step)
    try trainer.call({ try $0.onTrainEpochStart(self.trainer) }, { try $0.onTrainEpochStart() })
    if start > 0 {
      trainer.metrics.restore(
        checkpoint?.contents["stratagem"]?.dictionaryValue?["metrics"], rank: strategy.rank,
        worldSize: strategy.worldSize)
    }
    trainer.progressBar.start(
      stage: .train, totalBatches: batchCount, epoch: epoch, totalEpochs: trainer.settings.totalEpochs,
      completed: start)
    let batches = loader.iterator(epoch: epoch, startingAt: start)
    var index = start
    var isStopped = false
    while index < batchCount, !isStopped {
      guard let loaded = try batches.next() else {
        throw TrainingError.noData("the loader ended after \(index) of \(batchCount) batches in epoch \(epoch)")
      }
      try batch(loaded, index, isLast: index + 1 == batchCount)
      index += 1
      // A window of accumulated batches is finished first: what it has gathered is in no checkpoint.
      if trainer.isStepBoundary { isStopped = isStopRequested() }
    }
    try finish(epoch, isComplete: index == batchCount)
  }

  private func finish(_ epoch: Int, isComplete: Bool) throws {
    trainer.progress.seconds += takeSeconds()
    try trainer.flushStepRows()
    guard isComplete else { return trainer.progressBar.finish() }
    let means = try trainer.metrics.epochMeans(strategy)
    trainer.metrics.end()
    if !means.isEmpty {
      try trainer.write([
        LoggedRow(epoch: epoch, step: trainer.progress.globalStep - 1, values: means.map { ($0.name, $0.value) })
      ])
      trainer.publish(means)
    }
    if let validation, (epoch + 1) % trainer.settings.validateEveryEpochs == 0 {
      try validation.run()
      try stopIfInterrupted()
    }
    trainer.progressBar.finish()
    trainer.progress.epoch += 1
    trainer.progress.batch = 0
    try advancePlateaus(.epoch, count: trainer.progress.epoch)
    // As in Lightning, checkpoints come after the module, so that they contain what it did.
    let checkpointing = trainer.callbacks.filter { $0 is ModelCheckpoint }
    for callback in trainer.callbacks where !(callback is ModelCheckpoint) { try callback.onTrainEpochEnd(trainer) }
    try model.onTrainEpochEnd()
    for callback in checkpointing { try callback.onTrainEpochEnd(trainer) }
    if strategy.isGlobalZero { for logger in trainer.loggers { try logger.flush() } }
    clockStart = .now
  }
}

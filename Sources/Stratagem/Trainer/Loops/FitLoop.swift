internal import Torch
internal import TorchData
internal import TorchNN
internal import TorchOptim

/// Training, epoch after epoch.
final class FitLoop<Batch> {
  private let trainer: Trainer
  private let strategy: Strategy
  private let model: LightningModule<Batch>
  private let data: DataModule<Batch>
  private let checkpoint: (contents: Checkpoint, path: String)?
  private let accumulate: Int
  private var validation: EvaluationLoop<Batch>?
  /// When the present stretch of training began, for `progress.seconds`.
  private var clockStart = ContinuousClock.now

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
    trainer.progress = TrainingProgress()
    try trainer.prepare(.fit, model, data, checkpoint?.contents, checkpoint?.path)
    defer { trainer.tearDown(.fit, model, data) }
    if let checkpoint { try trainer.restoreTraining(checkpoint.contents, checkpoint.path) }
    let loader = try trainingLoader()
    let batchCount = try numberOfBatches(loader)
    if let loader = try data.validationLoader() {
      validation = EvaluationLoop(trainer: trainer, model: model, loader: loader, stage: .fit)
    }
    try startLoggers()
    try trainer.call({ try $0.onFitStart(self.trainer) }, { try $0.onFitStart() })
    try sanityCheck()
    try trainer.call({ try $0.onTrainStart(self.trainer) }, { try $0.onTrainStart() })
    model.train()
    clockStart = .now
    while !isDone() { try epoch(loader, batchCount) }
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
        "an epoch has no batches: \(loader.sampleCount) samples on each rank, batch size \(loader.batchSize)"
          + (loader.dropLast ? ", and the short last batch is dropped" : "") + "; use a smaller batch size or more data"
      )
    }
    return count
  }

  private func startLoggers() throws {
    trainer.hasStartedLoggers = true
    guard strategy.isGlobalZero else { return }
    for logger in trainer.loggers {
      try logger.start(resumingAt: checkpoint == nil ? nil : trainer.progress.globalStep)
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

  // One epoch
  private func epoch(_ loader: DataLoader<Batch>, _ batchCount: Int) throws {
    let epoch = trainer.progress.epoch
    let start = trainer.progress.batch
    try trainer.call({ try $0.onTrainEpochStart(self.trainer) }, { try $0.onTrainEpochStart() })
    trainer.metrics.begin(defaultTargets: .step)
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
    while index < batchCount, let loaded = try batches.next() {
      try batch(loaded, index, isLast: index + 1 == batchCount)
      index += 1
      if isStopRequested() { break }
    }
    if index < batchCount && !isStopRequested() {
      throw TrainingError.noData("the loader ended after \(index) of \(batchCount) batches in epoch \(epoch)")
    }
    try finish(epoch, complete: index == batchCount)
  }

  private func finish(_ epoch: Int, complete: Bool) throws {
    trainer.progress.seconds += takeSeconds()
    try trainer.flushStepRows()
    guard complete else { return trainer.progressBar.finish() }
    let means = try trainer.metrics.epochMeans(strategy)
    trainer.metrics.end()
    if !means.isEmpty {
      try trainer.write([
        LoggedRow(epoch: epoch, step: trainer.progress.globalStep - 1, values: means.map { ($0.name, $0.value) })
      ])
      trainer.publish(means)
    }
    if let validation, (epoch + 1) % trainer.settings.validateEveryEpochs == 0 {
      try validation.run(limit: nil)
      model.train()
    }
    trainer.progressBar.finish()
    trainer.progress.epoch += 1
    trainer.progress.batch = 0
    try advanceSchedules(.epoch, count: trainer.progress.epoch, plateau: true)
    // As in Lightning, checkpoints come after the module, so that they contain what it did.
    let checkpointing = trainer.callbacks.filter { $0 is ModelCheckpoint }
    for callback in trainer.callbacks where !(callback is ModelCheckpoint) { try callback.onTrainEpochEnd(trainer) }
    try model.onTrainEpochEnd()
    for callback in checkpointing { try callback.onTrainEpochEnd(trainer) }
    if strategy.isGlobalZero { for logger in trainer.loggers { try logger.flush() } }
    clockStart = .now
  }

  // One batch
  private func batch(_ loaded: LoadedBatch<Batch>, _ index: Int, isLast: Bool) throws {
    let opensWindow = index % accumulate == 0
    let closesWindow = (index + 1) % accumulate == 0 || isLast
    trainer.metrics.beginBatch(samples: loaded.indices.count)
    try trainer.call({ try $0.onTrainBatchStart(self.trainer, index) }, { try $0.onTrainBatchStart(index) })
    let loss = try withErrorScope { try forward(loaded.batch, index, synchronizing: closesWindow) }
    if let loss {
      try withErrorScope { try backward(loss, opensWindow: opensWindow, synchronizing: closesWindow) }
    }
    trainer.stepRows.append(
      epoch: trainer.progress.epoch, step: trainer.progress.globalStep, from: trainer.metrics)
    if closesWindow {
      try withErrorScope { try step() }
      trainer.progress.globalStep += 1
      try advanceSchedules(.step, count: trainer.progress.globalStep, plateau: true)
      if isLast { try advanceSchedules(.epoch, count: trainer.progress.epoch + 1, plateau: false) }
    }
    trainer.progress.batch = index + 1
    trainer.progress.totalBatches += 1
    trainer.progress.samples += loaded.indices.count * strategy.worldSize
    try show(index + 1)
    if strategy.worldSize == 1 || trainer.stepRows.count >= Trainer.rowsPerFlush { try trainer.flushStepRows() }
    try trainer.call({ try $0.onTrainBatchEnd(self.trainer, index) }, { try $0.onTrainBatchEnd(index) })
    if closesWindow { try stopIfInterrupted() }
  }

  private func forward(_ batch: Batch, _ index: Int, synchronizing: Bool) throws -> Tensor? {
    let batch = try prepared(batch)
    let output = try strategy.trainingStep(synchronizing: synchronizing) {
      try model.trainingStep(batch, at: index)
    }
    switch output {
    case .loss(let loss):
      try check(loss, index)
      return accumulate == 1 ? loss : loss / Double(accumulate)
    case .skipped:
      guard strategy.worldSize == 1 else {
        throw TrainingError.unusableStep(
          "trainingStep of \(type(of: model)) skipped batch \(index) on rank \(strategy.rank): on several ranks every "
            + "rank must have a loss, because the others wait for its gradients; return a loss times zero instead")
      }
      return nil
    case .notOverridden:
      throw ConfigurationError(
        "trainingStep", "\(type(of: model)) has no training step",
        suggestion: "override trainingStep(_:at:) and return .loss(...)")
    }
  }

  private func prepared(_ batch: Batch) throws -> Batch {
    var batch = batch
    if strategy.rootDevice != .cpu { batch = try model.transfer(batch, to: strategy.rootDevice) }
    if let dtype = strategy.precision?.inputType { batch = try model.convert(batch, to: dtype) }
    return batch
  }

  private func check(_ loss: Tensor, _ index: Int) throws {
    guard !loss.isPoisoned else { return }
    guard loss.count == 1 else {
      throw TrainingError.unusableStep(
        "trainingStep of \(type(of: model)) returned a loss of shape \(loss.shape); return one number, such as its mean()"
      )
    }
    guard trainer.settings.nonFiniteLoss == .stop else { return }
    let value = try loss.scalar()
    if !value.isFinite {
      throw TrainingError.nonFiniteLoss(
        value: value, epoch: trainer.progress.epoch, batch: index, step: trainer.progress.globalStep,
        rank: strategy.rank)
    }
  }

  private func backward(_ loss: Tensor, opensWindow: Bool, synchronizing: Bool) throws {
    if opensWindow, let optimizer = strategy.optimizer {
      try trainer.call(
        { try $0.onBeforeZeroGradients(self.trainer, optimizer) }, { try $0.onBeforeZeroGradients(optimizer) })
      optimizer.zeroGradients()
    }
    try trainer.call({ try $0.onBeforeBackward(self.trainer, loss) }, { try $0.onBeforeBackward(loss) })
    try strategy.backward(loss, synchronizing: synchronizing)
    try trainer.call({ try $0.onAfterBackward(self.trainer) }, { try $0.onAfterBackward() })
  }

  private func step() throws {
    guard let optimizer = strategy.optimizer else { return }
    try trainer.call(
      { try $0.onBeforeOptimizerStep(self.trainer, optimizer) }, { try $0.onBeforeOptimizerStep(optimizer) })
    if let maximum = trainer.settings.clipNorm { _ = try strategy.clipGradients(norm: maximum) }
    if let maximum = trainer.settings.clipValue { try strategy.clipGradients(value: maximum) }
    try strategy.optimizerStep(optimizer)
  }

  /// Advances the schedules of an interval; plateau schedules wait for the metrics of the epoch.
  private func advanceSchedules(_ interval: OptimizerPlan.Interval, count: Int, plateau: Bool) throws {
    for entry in strategy.schedules where entry.interval == interval && count % entry.frequency == 0 {
      if let schedule = entry.schedule as? ReduceLROnPlateau {
        guard plateau else { continue }
        guard let monitor = entry.monitor, let value = trainer.callbackMetrics[monitor] else {
          throw ConfigurationError(
            "monitor", "the plateau schedule watches '\(entry.monitor ?? "nothing")', which was not logged",
            suggestion: "log it, or name one of \(trainer.callbackMetrics.keys.sorted().joined(separator: ", "))")
        }
        schedule.step(metric: value)
      } else if interval == .step || !plateau {
        entry.schedule.step()
      }
    }
  }

  private func show(_ done: Int) throws {
    for entry in trainer.metrics.entries where entry.isFresh {
      if entry.targets.contains(.step) { trainer.callbackMetrics[entry.name] = entry.value.doubleValue }
      if entry.progressBar { trainer.progressBar.setMetric(entry.name, entry.value.doubleValue) }
    }
    trainer.progressBar.advance(batch: done)
  }

  // The end
  private func isDone() -> Bool {
    if trainer.shouldStop { return true }
    return isStopRequested()
  }

  private func isStopRequested() -> Bool {
    let progress = trainer.progress
    let settings = trainer.settings
    if trainer.shouldStop { return true }
    if let maxSteps = settings.maxSteps, progress.globalStep >= maxSteps { return true }
    guard let until = settings.until ?? (settings.maxSteps == nil ? .epochs(TrainerSettings.defaultEpochs) : nil) else {
      return false
    }
    if case .time = until {
      let elapsed = progress.seconds + (ContinuousClock.now - clockStart).seconds
      let decision = until.isReached(
        epochs: progress.epoch, steps: progress.globalStep, samples: progress.samples, seconds: elapsed)
      return (try? strategy.broadcast(decision)) ?? true
    }
    return until.isReached(
      epochs: progress.epoch, steps: progress.globalStep, samples: progress.samples, seconds: progress.seconds)
  }

  private func takeSeconds() -> Double {
    defer { clockStart = .now }
    return (ContinuousClock.now - clockStart).seconds
  }

  private func stopIfInterrupted() throws {
    guard let signal = InterruptMonitor.shared.signal else { return }
    trainer.progress.seconds += takeSeconds()
    guard strategy.isGlobalZero else {
      throw TrainingError.interrupted(signal: signal, checkpoint: nil)
    }
    for callback in trainer.callbacks { try callback.onInterrupt(trainer) }
    throw TrainingError.interrupted(signal: signal, checkpoint: trainer.modelCheckpoint?.lastPath)
  }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

internal import Torch
internal import TorchData
internal import TorchOptim

/// One batch: forward, backward, and at the end of a window of accumulated batches the optimizer's step.
extension FitLoop {
  func batch(_ loaded: LoadedBatch<Batch>, _ index: Int, isLast: Bool) throws {
    let opensWindow = index % accumulate == 0
    let closesWindow = (index + 1) % accumulate == 0 || isLast
    let step = trainer.progress.globalStep
    trainer.isStepBoundary = closesWindow
    trainer.metrics.beginBatch(samples: loaded.indices.count)
    try trainer.call({ try $0.onTrainBatchStart(self.trainer, index) }, { try $0.onTrainBatchStart(index) })
    let loss = try withErrorScope { try forward(loaded, index, synchronizing: closesWindow) }
    try withErrorScope {
      // A skipped batch must not leave the gradients of the window before to the optimizer.
      if opensWindow { try zeroGradients() }
      if let loss { try backward(loss, synchronizing: closesWindow) }
    }
    if closesWindow {
      try withErrorScope { try updateParameters() }
      trainer.progress.globalStep += 1
      try advanceSchedules(isLastOfEpoch: isLast)
    }
    trainer.stepRows.append(epoch: trainer.progress.epoch, step: step, from: trainer.metrics)
    trainer.progress.batch = index + 1
    trainer.progress.totalBatches += 1
    trainer.progress.samples += loaded.indices.count * strategy.worldSize
    show(index + 1)
    // Counted in batches, not in rows, so that all ranks meet here whatever they logged.
    if trainer.progress.totalBatches % Trainer.batchesPerFlush == 0 { try trainer.flushStepRows() }
    try trainer.call({ try $0.onTrainBatchEnd(self.trainer, index) }, { try $0.onTrainBatchEnd(index) })
    if closesWindow { try stopIfInterrupted() } else { InterruptMonitor.shared.acknowledge() }
  }

  private func forward(_ loaded: LoadedBatch<Batch>, _ index: Int, synchronizing: Bool) throws -> Tensor? {
    let batch = try strategy.prepared(loaded.batch, for: model)
    let step = BatchStep(model, batch, sampleCount: loaded.indices.count) { [model] in
      try model.trainingStep($0, at: index)
    }
    let output = try strategy.trainingStep(step, synchronizing: synchronizing)
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

  private func check(_ loss: Tensor, _ index: Int) throws {
    guard !loss.isPoisoned else { return }
    guard loss.count == 1 else {
      throw TrainingError.unusableStep(
        "trainingStep of \(type(of: model)) returned a loss of shape \(loss.shape); return one number, such as its "
          + "mean()")
    }
    guard trainer.settings.nonFiniteLoss == .stop else { return }
    let value = try loss.scalar()
    if !value.isFinite {
      throw TrainingError.nonFiniteLoss(
        value: value, epoch: trainer.progress.epoch, batch: index, step: trainer.progress.globalStep,
        rank: strategy.rank)
    }
  }

  private func zeroGradients() throws {
    guard let optimizer = strategy.optimizer else { return }
    try trainer.call(
      { try $0.onBeforeZeroGradients(self.trainer, optimizer) }, { try $0.onBeforeZeroGradients(optimizer) })
    optimizer.zeroGradients()
  }

  private func backward(_ loss: Tensor, synchronizing: Bool) throws {
    try trainer.call({ try $0.onBeforeBackward(self.trainer, loss) }, { try $0.onBeforeBackward(loss) })
    try strategy.backward(loss, synchronizing: synchronizing)
    try trainer.call({ try $0.onAfterBackward(self.trainer) }, { try $0.onAfterBackward() })
  }

  private func updateParameters() throws {
    guard let optimizer = strategy.optimizer else { return }
    try trainer.call(
      { try $0.onBeforeOptimizerStep(self.trainer, optimizer) }, { try $0.onBeforeOptimizerStep(optimizer) })
    if let maximum = trainer.settings.clipNorm { _ = try strategy.clipGradients(norm: maximum) }
    if let maximum = trainer.settings.clipValue { try strategy.clipGradients(value: maximum) }
    try strategy.optimizerStep(optimizer)
  }

  /// Advances the schedules that are due after a step; those of the epoch on its last batch, as in Lightning.
  private func advanceSchedules(isLastOfEpoch: Bool) throws {
    for entry in strategy.schedules where !(entry.schedule is ReduceLROnPlateau) {
      switch entry.interval {
      case .step:
        if trainer.progress.globalStep % entry.frequency == 0 { entry.schedule.step() }
      case .epoch:
        if isLastOfEpoch, (trainer.progress.epoch + 1) % entry.frequency == 0 { entry.schedule.step() }
      }
    }
    try advancePlateaus(.step, count: trainer.progress.globalStep)
  }

  /// Advances the schedules that watch a metric; all ranks go by the value of rank 0.
  func advancePlateaus(_ interval: OptimizerPlan.Interval, count: Int) throws {
    for entry in strategy.schedules where entry.interval == interval && count % entry.frequency == 0 {
      guard let schedule = entry.schedule as? ReduceLROnPlateau else { continue }
      let own = entry.monitor.flatMap { trainer.callbackMetrics[$0] }
      guard let value = try strategy.broadcast(number: own) else {
        let known = trainer.callbackMetrics.keys.sorted().joined(separator: ", ")
        throw ConfigurationError(
          "monitor", "the plateau schedule watches '\(entry.monitor ?? "nothing")', which was not logged",
          suggestion: known.isEmpty ? "log it" : "log it, or name one of \(known)")
      }
      schedule.step(metric: value)
    }
  }

  private func show(_ done: Int) {
    for entry in trainer.metrics.entries where entry.isFresh {
      if entry.targets.contains(.step) { trainer.callbackMetrics[entry.name] = entry.value.doubleValue }
      if entry.progressBar { trainer.progressBar.setMetric(entry.name, entry.value.doubleValue) }
    }
    trainer.progressBar.advance(batch: done)
  }
}

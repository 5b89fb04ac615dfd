internal import Torch
internal import TorchData
internal import TorchOptim

/// One batch: forward, backward, and at the end of a window of accumulated batches the optimizer's step.
extension FitLoop {
  func batch(_ loaded: LoadedBatch<Batch>, _ index: Int, isLast: Bool) throws {
    let accumulate = strategy.handlesGradientAccumulation ? 1 : trainer.accumulate
    let closesWindow = (index + 1) % accumulate == 0 || isLast
    let step = trainer.progress.globalStep
    trainer.isStepBoundary = closesWindow || !model.automaticOptimization
    trainer.metrics.beginBatch(samples: loaded.indices.count)
    let batch = try withErrorScope { try strategy.prepared(loaded.batch, for: model, loader: 0) }
    try trainer.call({ try $0.onTrainBatchStart(self.trainer, index) }, { try $0.onTrainBatchStart(index) })
    if trainer.isEpochSkipped {
      trainer.isStepBoundary = true
      return
    }
    try strategy.onTrainBatchStart(index)
    let call = BatchStep(model, batch, sampleCount: loaded.indices.count) { [model] in
      try model.trainingStep($0, at: index)
    }
    if model.automaticOptimization {
      let loss = try withErrorScope { try forward(call, index, accumulate, synchronizing: closesWindow) }
      try withErrorScope {
        // A skipped batch must not leave the gradients of the window before to the optimizer.
        if index % accumulate == 0, let optimizer = strategy.optimizer { try trainer.zeroGradients(optimizer) }
        if let loss { try trainer.backward(loss, synchronizing: closesWindow) }
      }
      if closesWindow {
        try withErrorScope { if let optimizer = strategy.optimizer { try trainer.optimizerStep(optimizer) } }
        try advanceSchedules(isLastOfEpoch: isLast)
      }
    } else {
      try withErrorScope { try stepManually(call, index) }
    }
    try finishBatch(index, step, samples: loaded.indices.count)
  }

  /// A batch that this rank does not have and others do: it takes part in the step with nothing of its own, so that weights
  /// and counters stay those of the others.
  func joinBatch(_ index: Int, isLast: Bool) throws {
    let accumulate = strategy.handlesGradientAccumulation ? 1 : trainer.accumulate
    let closesWindow = (index + 1) % accumulate == 0 || isLast
    let step = trainer.progress.globalStep
    trainer.isStepBoundary = closesWindow
    trainer.metrics.beginBatchOfOthers()
    try trainer.call({ try $0.onTrainBatchStart(self.trainer, index) }, { try $0.onTrainBatchStart(index) })
    if trainer.isEpochSkipped {
      trainer.isStepBoundary = true
      return
    }
    try strategy.onTrainBatchStart(index)
    try withErrorScope {
      if index % accumulate == 0, let optimizer = strategy.optimizer { try trainer.zeroGradients(optimizer) }
      try strategy.joinBackward(synchronizing: closesWindow)
    }
    if closesWindow {
      try withErrorScope { if let optimizer = strategy.optimizer { try trainer.optimizerStep(optimizer) } }
      try advanceSchedules(isLastOfEpoch: isLast)
    }
    try finishBatch(index, step, samples: 0)
  }

  private func finishBatch(_ index: Int, _ step: Int, samples: Int) throws {
    let number = trainer.progress.totalBatches
    trainer.collectBatch(number, step: step)
    trainer.progress.batch = index + 1
    trainer.progress.totalBatches += 1
    // The same number on all ranks.
    trainer.progress.samples += isUneven ? trainer.layout?.samplesPerBatch ?? 0 : samples * strategy.worldSize
    trainer.progressBar.advance(batch: index + 1)
    try strategy.checkCheckpoints()
    // A schedule that watches a metric of the validation to come waits for it.
    if !isValidationDue(after: index + 1) { try advanceStepPlateaus() }
    try trainer.call({ try $0.onTrainBatchEnd(self.trainer, index) }, { try $0.onTrainBatchEnd(index) })
    trainer.collectBatch(number, step: step)
    // Counted in batches, not in rows, so that all ranks meet here whatever they logged. Alone there is nobody to wait for.
    if strategy.worldSize == 1 || trainer.progress.totalBatches % Trainer.batchesPerFlush == 0 {
      try trainer.flushStepRows()
    }
    if trainer.isStepBoundary { try stopIfInterrupted() } else { InterruptMonitor.shared.acknowledge() }
  }

  private func forward(
    _ step: ModuleStep<StepOutput>, _ index: Int, _ accumulate: Int, synchronizing: Bool
  ) throws -> Tensor? {
    switch try strategy.trainingStep(step, synchronizing: synchronizing) {
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
    case .notOverridden: throw withoutTrainingStep
    }
  }

  /// A step in which the module computes gradients and steps its optimizers itself.
  private func stepManually(_ step: ModuleStep<StepOutput>, _ index: Int) throws {
    switch try strategy.trainingStep(step, synchronizing: true) {
    case .loss(let loss): try check(loss, index)
    case .skipped: break
    case .notOverridden: throw withoutTrainingStep
    }
  }

  private var withoutTrainingStep: ConfigurationError {
    ConfigurationError(
      "trainingStep", "\(type(of: model)) has no training step",
      suggestion: "override trainingStep(_:at:) and return .loss(...)")
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
}

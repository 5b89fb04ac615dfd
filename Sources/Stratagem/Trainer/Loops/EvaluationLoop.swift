internal import Torch
internal import TorchData
internal import TorchDistributed
internal import TorchNN

/// Validation and test: every sample is counted once, whatever the number of ranks.
final class EvaluationLoop<Batch> {
  private let trainer: Trainer
  private let strategy: Strategy
  private let model: LightningModule<Batch>
  private let loaders: [DataLoader<Batch>]
  private let stage: Stage

  /// - Parameter stage: `fit` for the validation inside a fit.
  init(trainer: Trainer, model: LightningModule<Batch>, loaders: [DataLoader<Batch>], stage: Stage) {
    self.trainer = trainer
    strategy = trainer.strategy
    self.model = model
    self.stage = stage
    self.loaders = loaders.map { trainer.distributed($0, .unrepeated) }
  }

  /// The loaders of this rank.
  var loaderCount: Int { loaders.count }

  /// Runs over the data and returns the means of what the steps logged.
  @discardableResult
  func run(limit: Int? = nil) throws -> [String: Double] {
    let restoreModes = model.rememberModes()
    if stage == .fit { try model.onValidationModelZeroGradients() }
    if stage == .test { try model.onTestModelEval() } else { try model.onValidationModelEval() }
    trainer.metrics = MetricStore()
    defer { trainer.metrics = trainer.trainingMetrics }
    trainer.metrics.begin(defaultTargets: .epoch, epoch: trainer.progress.epoch)
    let results = try restoring(restoreModes) {
      try start()
      try strategy.prepareForEvaluation()
      var results = try evaluate(limit)
      results.merge(try end()) { $1 }
      return results
    }
    trainer.progressBar.finish()
    if stage == .test { try model.onTestModelTrain() } else { try model.onValidationModelTrain() }
    return results
  }

  private func restoring<Result>(_ restoreModes: () -> Void, _ body: () throws -> Result) rethrows -> Result {
    defer { restoreModes() }
    return try body()
  }

  private func evaluate(_ limit: Int?) throws -> [String: Double] {
    let counts = try loaders.map { loader in
      let allowed = try batchCount(loader)
      return min(allowed, limit ?? allowed)
    }
    trainer.progressBar.start(
      stage: trainer.isSanityChecking ? .sanityCheck : stage == .test ? .test : .validation,
      totalBatches: counts.reduce(0, +))
    var samples = 0
    var done = 0
    defer { trainer.loaderIndex = 0 }
    for (index, loader) in loaders.enumerated() {
      trainer.loaderIndex = index
      if loaders.count > 1 { trainer.metrics.suffix = "/dataloader_idx_\(index)" }
      samples += try batches(of: loader, counts[index], done: done)
      done += counts[index]
    }
    trainer.metrics.suffix = ""
    let results = try trainer.settleEpoch()
    if !trainer.isSanityChecking {
      trainer.evaluatedSamples = Int(try strategy.reduce(Tensor([samples]), by: .sum).integer())
    }
    return results
  }

  /// The batches of this rank that the trainer's limits leave.
  private func batchCount(_ loader: DataLoader<Batch>) throws -> Int {
    let settings = trainer.settings
    let (limit, name) =
      switch stage {
      case .test: (settings.limitTestBatches, "limitTestBatches")
      case .fit where settings.overfitBatches != nil: (settings.overfitBatches ?? .all, "overfitBatches")
      default: (settings.limitValidationBatches, "limitValidationBatches")
      }
    return try limit.count(of: loader.batchCount, parameter: name) ?? loader.batchCount
  }

  /// Returns the number of samples on this rank.
  private func batches(of loader: DataLoader<Batch>, _ batchCount: Int, done: Int) throws -> Int {
    let batches = loader.iterator(epoch: 0)
    var index = 0
    var samples = 0
    try strategy.beginEvaluation(batches: batchCount)
    while index < batchCount, let loaded = try batches.next() {
      trainer.metrics.beginBatch(samples: loaded.indices.count)
      samples += loaded.indices.count
      try step(loaded, index)
      try trainer.collectEvaluationBatch()
      index += 1
      trainer.progressBar.advance(batch: done + index)
      try trainer.stopIfInterrupted()
    }
    try strategy.endEvaluation()
    return samples
  }

  private func step(_ loaded: LoadedBatch<Batch>, _ index: Int) throws {
    let loader = trainer.loaderIndex
    let batch = try withErrorScope {
      try trainer.settings.withEvaluationMode { try strategy.prepared(loaded.batch, for: model, loader: loader) }
    }
    if stage == .test {
      try trainer.call(
        { try $0.onTestBatchStart(self.trainer, index, loader: loader) },
        { try $0.onTestBatchStart(index, loader: loader) })
    } else {
      try trainer.call(
        { try $0.onValidationBatchStart(self.trainer, index, loader: loader) },
        { try $0.onValidationBatchStart(index, loader: loader) })
    }
    let output = try withErrorScope {
      try trainer.settings.withEvaluationMode {
        let step = BatchStep(model, batch, sampleCount: loaded.indices.count) { [model, stage] in
          stage == .test ? try model.testStep($0, at: index) : try model.validationStep($0, at: index)
        }
        return stage == .test ? try strategy.testStep(step) : try strategy.validationStep(step)
      }
    }
    if case .notOverridden = output {
      throw ConfigurationError(
        "validationStep", "there is validation data, but \(type(of: model)) has no validation step",
        suggestion: "override validationStep(_:at:), or return nil from validationLoader()")
    }
    if stage == .test {
      try trainer.call(
        { try $0.onTestBatchEnd(self.trainer, output, index, loader: loader) },
        { try $0.onTestBatchEnd(output, index, loader: loader) })
    } else {
      try trainer.call(
        { try $0.onValidationBatchEnd(self.trainer, output, index, loader: loader) },
        { try $0.onValidationBatchEnd(output, index, loader: loader) })
    }
  }

  private func start() throws {
    if stage == .test {
      try trainer.call({ try $0.onTestStart(self.trainer) }, { try $0.onTestStart() })
      try strategy.onTestStart()
      try trainer.call({ try $0.onTestEpochStart(self.trainer) }, { try $0.onTestEpochStart() })
    } else {
      try trainer.call({ try $0.onValidationStart(self.trainer) }, { try $0.onValidationStart() })
      try strategy.onValidationStart()
      try trainer.call({ try $0.onValidationEpochStart(self.trainer) }, { try $0.onValidationEpochStart() })
    }
  }

  /// Returns the metrics that the hooks logged.
  private func end() throws -> [String: Double] {
    var results: [String: Double] = [:]
    if stage == .test {
      try trainer.call({ try $0.onTestEpochEnd(self.trainer) }, { try $0.onTestEpochEnd() })
      results = try trainer.settleEpoch()
      try trainer.call({ try $0.onTestEnd(self.trainer) }, { try $0.onTestEnd() })
      try strategy.onTestEnd()
    } else {
      try trainer.call({ try $0.onValidationEpochEnd(self.trainer) }, { try $0.onValidationEpochEnd() })
      results = try trainer.settleEpoch()
      try trainer.call({ try $0.onValidationEnd(self.trainer) }, { try $0.onValidationEnd() })
      try strategy.onValidationEnd()
    }
    results.merge(try trainer.settleEpoch()) { $1 }
    return results
  }
}

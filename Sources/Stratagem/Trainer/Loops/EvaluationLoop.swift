internal import Torch
internal import TorchData
internal import TorchDistributed
internal import TorchNN

/// Validation and test: every sample is counted once, whatever the number of ranks.
final class EvaluationLoop<Batch> {
  private let trainer: Trainer
  private let strategy: Strategy
  private let model: LightningModule<Batch>
  private let loader: DataLoader<Batch>
  private let stage: Stage

  /// - Parameter stage: `fit` for the validation inside a fit.
  init(trainer: Trainer, model: LightningModule<Batch>, loader: DataLoader<Batch>, stage: Stage) {
    self.trainer = trainer
    strategy = trainer.strategy
    self.model = model
    self.stage = stage
    self.loader =
      strategy.worldSize > 1
      ? loader.distributed(worldSize: strategy.worldSize, rank: strategy.rank, policy: .unrepeated) : loader
  }

  /// Runs over the data and returns the means of what the steps logged.
  @discardableResult
  func run(limit: Int? = nil) throws -> [String: Double] {
    try start()
    try strategy.prepareForEvaluation()
    let restoreModes = model.enterEvaluationMode()
    defer { restoreModes() }
    trainer.metrics.begin(defaultTargets: .epoch)
    defer { trainer.metrics.end() }
    let allowed = try batchCount()
    let batchCount = min(allowed, limit ?? allowed)
    trainer.progressBar.start(
      stage: trainer.isSanityChecking ? .sanityCheck : stage == .test ? .test : .validation, totalBatches: batchCount)
    let samples = try batches(batchCount)
    let means = try trainer.metrics.epochMeans(strategy)
    trainer.progressBar.finish()
    if trainer.isSanityChecking {
      try end()
      return [:]
    }
    trainer.evaluatedSamples = Int(try strategy.reduce(Tensor([samples]), by: .sum).integer())
    trainer.publish(means)
    if !means.isEmpty {
      let step = max(0, trainer.progress.globalStep - 1)
      try trainer.write([
        LoggedRow(epoch: trainer.progress.epoch, step: step, values: means.map { ($0.name, $0.value) })
      ])
    }
    try end()
    return Dictionary(uniqueKeysWithValues: means.map { ($0.name, $0.value.doubleValue) })
  }

  /// The batches of this rank that the trainer's limits leave.
  func batchCount() throws -> Int {
    let isTest = stage == .test
    let limit = isTest ? trainer.settings.limitTestBatches : trainer.settings.limitValidationBatches
    let name = isTest ? "limitTestBatches" : "limitValidationBatches"
    return try limit.count(of: loader.batchCount, parameter: name) ?? loader.batchCount
  }

  /// Returns the number of samples on this rank.
  private func batches(_ batchCount: Int) throws -> Int {
    let batches = loader.iterator(epoch: 0)
    var index = 0
    var samples = 0
    while index < batchCount, let loaded = try batches.next() {
      trainer.metrics.beginBatch(samples: loaded.indices.count)
      samples += loaded.indices.count
      let output = try withErrorScope {
        try withInferenceMode {
          let batch = try strategy.prepared(loaded.batch, for: model)
          let step = BatchStep(model, batch, sampleCount: loaded.indices.count) { [model, stage, index] in
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
      index += 1
      trainer.progressBar.advance(batch: index)
      try trainer.stopIfInterrupted()
    }
    return samples
  }

  private func start() throws {
    if stage == .test {
      try trainer.call({ try $0.onTestStart(self.trainer) }, { try $0.onTestStart() })
    } else {
      try trainer.call({ try $0.onValidationStart(self.trainer) }, { try $0.onValidationStart() })
    }
  }

  private func end() throws {
    if stage == .test {
      try trainer.call({ try $0.onTestEnd(self.trainer) }, { try $0.onTestEnd() })
    } else {
      try trainer.call({ try $0.onValidationEnd(self.trainer) }, { try $0.onValidationEnd() })
    }
  }
}

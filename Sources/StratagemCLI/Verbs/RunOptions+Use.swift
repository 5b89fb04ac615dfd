internal import Stratagem
internal import Torch

extension LoadedConfiguration {
  /// Makes the model from seeded random numbers, then takes over the weights of `--weights`.
  func makeModel(_ optimizer: OptimizerSettings) throws -> Program.Model {
    TorchRuntime.manualSeed(values.seed)
    let model = try withErrorScope { try Program.makeModel(optimizer, values.model) }
    if let weights = values.weights { try WeightsFile.load(weights, into: model) }
    return model
  }
}

extension RunOptions {
  /// What a verb without training works with: a trainer that writes no files, the model and the data.
  func prepare(_ stage: Stage) throws -> (Trainer, Program.Model, DataModule<Program.Batch>) {
    try Program.prepare()
    let configuration = try load()
    let values = configuration.values
    let trainer = try values.trainer.makeEvaluator()
    let data = try withErrorScope { try Program.makeData(values.dataSettings(stage)) }
    let model = try configuration.makeModel(values.optimizerSettings)
    if values.weights == nil {
      trainer.announce("note: without --weights the model has its initial, untrained weights")
    }
    return (trainer, model, data)
  }

  /// Validates or tests, and prints the results.
  func evaluate(_ stage: Stage) throws {
    try Interruption.reporting {
      let (trainer, model, data) = try prepare(stage)
      let start = ContinuousClock.now
      let metrics = stage == .test ? try trainer.test(model, data) : try trainer.validate(model, data)
      guard trainer.isGlobalZero else { return }
      var summary = RunSummary(stage: stage, metrics: metrics, samples: trainer.evaluatedSamples)
      summary.seconds = (ContinuousClock.now - start) / .seconds(1)
      summary.processes = trainer.worldSize
      summary.write(asJSON: json)
    }
  }
}

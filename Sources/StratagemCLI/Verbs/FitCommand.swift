internal import ArgumentParser
internal import Stratagem
internal import Torch

/// `fit`: trains, validates after each epoch, writes checkpoints and metrics.
struct FitCommand<Program: TrainingCommand>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "fit", abstract: "Train the model, validating it after each epoch.")
  }

  @OptionGroup var options: RunOptions<Program>
  @OptionGroup(title: "Training options") var training: FitOptions<Program>

  func run() throws {
    try Interruption.reporting {
      try Program.prepare()
      let recorder = RunRecorder()
      let (trainer, metricsFile) = try makeTrainer(recorder)
      let data = try withErrorScope {
        try Program.makeData(options.dataSettings(.fit, shuffle: !training.noShuffle))
      }
      if try batchesPerEpoch(data, trainer.plan.worldSize) == 0 {
        throw ConfigurationError(
          "--batch-size", "--batch-size is \(options.batchSize), more than the training samples of a rank",
          suggestion: "give a smaller number")
      }
      let model = try makeModel(trainer, data)
      try trainer.fit(model, data, resumeFrom: training.resume)
      let validated = try recorder.validation(of: trainer) ?? validate(trainer, model, data)
      guard trainer.isGlobalZero else { return }
      summary(trainer, recorder, validated, metricsFile).write(asJSON: options.json)
    }
  }

  private func makeTrainer(_ recorder: RunRecorder) throws -> (Trainer, metricsFile: String) {
    let output = options.output ?? "runs/" + RunID.resolve(ClusterEnvironments.processVariables)
    try WritableFolder.check(output, flag: "--output")
    let logger = CSVLogger(output)
    let trainer = try Trainer(
      strategy: options.strategy, accelerator: options.accelerator, devices: .text(options.devices),
      numNodes: options.numNodes, precision: options.chosenPrecision, until: training.chosenEpochs.map { .epochs($0) },
      maxSteps: training.chosenMaxSteps, accumulate: training.accumulate, clipNorm: training.clipNorm,
      clipValue: training.clipValue, callbacks: [recorder] + [training.modelCheckpoint(in: output)].compactMap { $0 },
      loggers: [logger], checkpointing: false, output: output, progress: options.progress)
    return (trainer, logger.path)
  }

  private func makeModel(_ trainer: Trainer, _ data: DataModule<Program.Batch>) throws -> Program.Model {
    var optimizer = training.optimizerSettings
    if training.momentum != nil, optimizer.kind != .sgd {
      trainer.announce("note: --momentum is for sgd; \(optimizer.kind.rawValue) does not use it")
    }
    let worldSize = trainer.plan.worldSize
    optimizer.totalSteps = {
      OptimizerSettings.totalSteps(
        batches: try batchesPerEpoch(data, worldSize) ?? 1, accumulate: training.accumulate,
        epochs: training.chosenEpochs, maxSteps: training.chosenMaxSteps)
    }
    let model = try options.makeModel(optimizer)
    // Found out here, a checkpoint of another model fails before processes are started.
    if let resume = training.resume { try WeightsFile.load(resume, into: model) }
    return model
  }

  /// The training batches of an epoch on each rank; nil as long as the data have not been set up.
  private func batchesPerEpoch(_ data: DataModule<Program.Batch>, _ worldSize: Int) throws -> Int? {
    try data.trainingLoader()?.distributed(worldSize: worldSize, rank: 0, policy: .padded).batchCount
  }

  /// Validates weights that training left between two validations.
  private func validate(
    _ trainer: Trainer, _ model: Program.Model, _ data: DataModule<Program.Batch>
  ) throws -> [String: Double] {
    guard try data.validationLoader() != nil else { return [:] }
    return try trainer.validate(model, data)
  }

  private func summary(
    _ trainer: Trainer, _ recorder: RunRecorder, _ metrics: [String: Double], _ metricsFile: String
  ) -> RunSummary {
    let progress = trainer.progress
    var summary = RunSummary(stage: .fit, metrics: metrics, samples: trainer.evaluatedSamples)
    summary.training = RunSummary.Training(
      steps: progress.globalStep - recorder.firstStep, seconds: progress.seconds - recorder.firstSeconds,
      totalSteps: progress.globalStep, epochs: progress.epoch)
    summary.processes = trainer.worldSize
    if let checkpoints = trainer.modelCheckpoint, let best = checkpoints.best.first {
      summary.best = (best.path, "\(checkpoints.monitor ?? "score") \(best.score)")
    }
    summary.checkpoint = trainer.modelCheckpoint?.lastPath
    summary.metricsFile = metricsFile
    return summary
  }
}

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
      let configuration = try options.load(training.settings)
      let recorder = RunRecorder()
      let (trainer, metricsFile) = try makeTrainer(configuration, recorder)
      let data = try withErrorScope { try Program.makeData(configuration.values.dataSettings(.fit)) }
      if try batchesPerEpoch(data, trainer.plan.worldSize) == 0 {
        throw ConfigurationError(
          "batchSize",
          "\(configuration.name(of: "data.batchSize")) is \(configuration.values.data.batchSize), more than the training "
            + "samples of a rank",
          suggestion: "give a smaller number")
      }
      let model = try makeModel(configuration, trainer, data)
      try trainer.fit(model, data, resumeFrom: configuration.values.resume)
      var validated = recorder.validation(of: trainer)
      if validated == nil, !configuration.values.trainer.skipsValidation {
        validated = try validate(trainer, model, data)
      }
      guard trainer.isGlobalZero else { return }
      summary(trainer, recorder, validated ?? [:], metricsFile).write(asJSON: options.json)
    }
  }

  private func makeTrainer(
    _ configuration: LoadedConfiguration<Program>, _ recorder: RunRecorder
  ) throws -> (Trainer, metricsFile: String?) {
    let values = configuration.values
    let output = values.trainer.output ?? "runs/" + RunID.resolve(ClusterEnvironments.processVariables)
    try WritableFolder.check(output, flag: configuration.name(of: "trainer.output"))
    let logger = CSVLogger(output)
    let isDryRun = values.trainer.fastDevRun.value > 0
    let saver = ConfigurationSaver(configuration.root, writesFile: !isDryRun)
    let trainer = try values.trainer.makeTrainer(
      callbacks: [saver, recorder] + [values.modelCheckpoint(in: output)].compactMap { $0 }, loggers: [logger],
      output: output)
    return (trainer, isDryRun ? nil : logger.path)
  }

  private func makeModel(
    _ configuration: LoadedConfiguration<Program>, _ trainer: Trainer, _ data: DataModule<Program.Batch>
  ) throws -> Program.Model {
    let values = configuration.values
    var optimizer = values.optimizerSettings
    if training.momentum != nil, optimizer.kind != .sgd {
      trainer.announce("note: --momentum is for sgd; \(optimizer.kind.rawValue) does not use it")
    }
    let worldSize = trainer.plan.worldSize
    optimizer.totalSteps = {
      try OptimizerSettings.totalSteps(
        batches: values.trainer.limitTrainBatches.value.count(of: batchesPerEpoch(data, worldSize)) ?? 1,
        accumulate: values.trainer.accumulate, epochs: values.trainer.totalEpochs,
        maxSteps: values.trainer.totalSteps)
    }
    let model = try configuration.makeModel(optimizer)
    // Found out here, a checkpoint of another model fails before processes are started.
    // A word such as `last` stands for a file that only the trainer knows.
    if let resume = values.resume, !["best", "last", "hpc"].contains(resume) {
      try WeightsFile.load(resume, into: model)
    }
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
    _ trainer: Trainer, _ recorder: RunRecorder, _ metrics: [String: Double], _ metricsFile: String?
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

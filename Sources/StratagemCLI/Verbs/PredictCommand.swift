internal import ArgumentParser
internal import Stratagem

/// `predict`: what the model says of each sample.
struct PredictCommand<Program: TrainingCommand>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "predict", abstract: "Write the model's prediction for each sample.")
  }

  @OptionGroup var options: RunOptions<Program>

  @Option(help: ArgumentHelp("The CSV file to write. (default: standard output, unless --json)", valueName: "file"))
  var predictions: String?

  func run() throws {
    try Interruption.reporting {
      if let predictions {
        try WritableFolder.check(WritableFolder.parent(of: predictions), flag: "--predictions", mustExist: true)
      }
      let (trainer, model, data) = try options.prepare(.predict)
      let start = ContinuousClock.now
      let rows = try trainer.predict(model, data)
      guard trainer.isGlobalZero, let rows else { return }
      if let predictions {
        try PredictionTable.write(rows, to: predictions)
      } else if !options.json {
        return print(try PredictionTable.csv(rows), terminator: "")
      }
      var summary = RunSummary(stage: .predict, metrics: [:], samples: rows.size(0))
      summary.seconds = (ContinuousClock.now - start) / .seconds(1)
      summary.processes = trainer.worldSize
      summary.predictions = predictions
      summary.write(asJSON: options.json)
    }
  }
}

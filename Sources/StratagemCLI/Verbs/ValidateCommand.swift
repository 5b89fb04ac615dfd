internal import ArgumentParser
internal import Stratagem

/// `validate`: the metrics of the validation data.
struct ValidateCommand<Program: TrainingCommand>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "validate", abstract: "Measure the model on the validation data.")
  }

  @OptionGroup var options: RunOptions<Program>

  func run() throws { try options.evaluate(.validate) }
}

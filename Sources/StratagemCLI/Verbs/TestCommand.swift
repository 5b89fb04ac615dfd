internal import ArgumentParser
internal import Stratagem

/// `test`: the metrics of the test data.
struct TestCommand<Program: TrainingCommand>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "test", abstract: "Measure the model on the test data.")
  }

  @OptionGroup var options: RunOptions<Program>

  func run() throws { try options.evaluate(.test) }
}

internal import ArgumentParser
internal import Stratagem

/// The flags of every verb.
struct RunOptions<Program: TrainingCommand>: ParsableArguments {
  @Option(help: ArgumentHelp("Start from the weights in this .ckpt or .safetensors file.", valueName: "file"))
  var weights: String?

  @Option(help: ArgumentHelp("Read the data from this file.", valueName: "file"))
  var data: String?

  @Option(parsing: .unconditional, help: ArgumentHelp("Samples in a batch of each rank.", valueName: "n"))
  var batchSize: Int = Program.defaults.batchSize

  @Option(help: ArgumentHelp("How to distribute the run, such as single_device or ddp.", valueName: "name"))
  var strategy = "auto"

  @Option(help: ArgumentHelp("The kind of hardware, such as cpu or cuda.", valueName: "name"))
  var accelerator = "auto"

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How many devices, or which (0,2); on the CPU the number of processes.", valueName: "devices"))
  var devices = "auto"

  @Option(parsing: .unconditional, help: ArgumentHelp("The number of machines.", valueName: "n"))
  var numNodes = 1

  @Option(help: ArgumentHelp("Number formats, such as 32-true or bf16-mixed.", valueName: "name"))
  var precision: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("What initial weights and the order of samples depend on.", valueName: "n"))
  var seed: UInt64 = 0

  @Option(help: ArgumentHelp("The folder for checkpoints and metrics. (default: runs/<run id>)", valueName: "dir"))
  var output: String?

  @Flag(help: "Print the results as one line of JSON.")
  var json = false

  @Option(
    help: ArgumentHelp(
      "How to show progress: interactive, plain or silent. (default: as the terminal can)", valueName: "mode"),
    transform: { try NamedChoice.parse($0, "progress mode") })
  var progress: ProgressBar.Mode?

  func validate() throws {
    var check = FlagCheck()
    check.require("--batch-size", batchSize, atLeast: 1)
    try check.finish()
  }

  /// What the program is told about its data.
  func dataSettings(_ stage: Stage, shuffle: Bool = false) -> DataSettings {
    DataSettings(stage: stage, path: data, batchSize: batchSize, shuffle: shuffle, seed: seed)
  }

  /// The precision that was asked for, if any.
  var chosenPrecision: any PrecisionConvertible {
    guard let precision else { return .unspecified }
    return precision
  }
}

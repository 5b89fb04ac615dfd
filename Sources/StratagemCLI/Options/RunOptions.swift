internal import ArgumentParser
internal import Stratagem

/// The flags of every verb.
struct RunOptions<Program: TrainingCommand>: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Read settings from this YAML file; repeat to lay files over each other.", valueName: "file"))
  var config: [String] = []

  @Flag(help: "Print all settings as YAML, ready to be used as --config, and stop.")
  var printConfig = false

  @Option(help: ArgumentHelp("Start from the weights in this .ckpt or .safetensors file.", valueName: "file"))
  var weights: String?

  @Option(help: ArgumentHelp("Read the data from this file.", valueName: "file"))
  var data: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Samples in a batch of each rank. (default: \(Program.defaults.batchSize))", valueName: "n"))
  var batchSize: Int?

  @Option(
    help: ArgumentHelp(
      "How to distribute the run, such as single_device or ddp. (default: auto)", valueName: "name"))
  var strategy: String?

  @Option(help: ArgumentHelp("The kind of hardware, such as cpu or cuda. (default: auto)", valueName: "name"))
  var accelerator: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How many devices, or which (0,2); on the CPU the number of processes. (default: auto)", valueName: "devices"))
  var devices: String?

  @Option(parsing: .unconditional, help: ArgumentHelp("The number of machines. (default: 1)", valueName: "n"))
  var numNodes: Int?

  @Option(help: ArgumentHelp("Number formats, such as 32-true or bf16-mixed.", valueName: "name"))
  var precision: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("What initial weights and the order of samples depend on. (default: 0)", valueName: "n"))
  var seed: UInt64?

  @Option(help: ArgumentHelp("The folder for checkpoints and metrics. (default: runs/<run id>)", valueName: "dir"))
  var output: String?

  @Flag(help: "Print the results as one line of JSON.")
  var json = false

  @Option(
    help: ArgumentHelp(
      "How to show progress: interactive, plain or silent. (default: as the terminal can)", valueName: "mode"),
    transform: { try NamedChoice.parse($0, "progress mode") })
  var progress: ProgressBar.Mode?

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp(
      "Any setting by its key, such as --trainer.limitTrainBatches=10 or --data.batchSize 64.", valueName: "override"))
  var overrides: [String] = []

  func validate() throws { _ = try dottedSettings() }

  /// The settings that these flags make.
  var settings: [CommandLineSetting] {
    var flags = GivenFlags()
    flags.add("--weights", weights)
    flags.add("--data", data)
    flags.add("--batch-size", batchSize)
    flags.add("--strategy", strategy)
    flags.add("--accelerator", accelerator)
    flags.add("--devices", devices)
    flags.add("--num-nodes", numNodes)
    flags.add("--precision", precision)
    flags.add("--seed", seed)
    flags.add("--output", output)
    flags.add("--progress", progress?.rawValue)
    return flags.settings
  }

  /// All settings of the command line in the order of their arguments.
  ///
  /// - Parameter flags: the settings that the flags of the verb make.
  func settings(
    with flags: [CommandLineSetting], as arguments: [String] = CommandLine.arguments
  ) throws -> [CommandLineSetting] {
    GivenFlags.ordered(try dottedSettings() + settings + flags, as: arguments)
  }

  private func dottedSettings() throws -> [CommandLineSetting] {
    let flags = SettingFlag.all.map(\.name) + ["--config", "--print-config", "--json", "--predictions", "--help"]
    return try DottedOverrides.parse(overrides, defaults: LoadedConfiguration<Program>.defaults(), flags: flags)
  }

  /// Puts the configuration together: the program's defaults, then the files in order, then the command line in order.
  ///
  /// - Parameter flags: the settings that the flags of the verb make.
  /// - Throws: `ConfigurationError` with everything that does not fit; `CleanExit` when it was only to be printed.
  func load(_ flags: [CommandLineSetting] = []) throws -> LoadedConfiguration<Program> {
    let loaded = try LoadedConfiguration<Program>(
      files: try ConfigurationFiles.read(config), settings: try settings(with: flags))
    if printConfig {
      if !WorkerProcess.isWorker { print(loaded.yaml, terminator: "") }
      throw ExitCode.success
    }
    if !config.isEmpty { ConfigurationFiles.share(loaded.root) }
    return loaded
  }
}

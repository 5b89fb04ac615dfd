internal import ArgumentParser
internal import Stratagem

/// The flags of `fit`.
struct FitOptions<Program: TrainingCommand>: ParsableArguments {
  @Flag(help: "Take the training samples in the order of the file.")
  var noShuffle = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Passes over the training data."
        + (Program.defaults.epochs.map { " (default: \($0), unless --max-steps is given)" } ?? ""),
      valueName: "n"))
  var epochs: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Stop after so many optimizer steps."
        + (Program.defaults.maxSteps.map { " (default: \($0), unless --epochs is given)" } ?? ""),
      valueName: "n"))
  var maxSteps: Int?

  @Option(
    help: ArgumentHelp(
      "The optimizer: sgd, adam or adamw. (default: \(Program.defaults.optimizer.rawValue))", valueName: "name"),
    transform: { try NamedChoice.parse($0, "optimizer") })
  var optimizer: OptimizerKind?

  @Option(
    name: .customLong("lr"), parsing: .unconditional,
    help: ArgumentHelp(
      "The learning rate. (default: \(Program.defaults.learningRate) with \(Program.defaults.optimizer.rawValue))",
      valueName: "x"))
  var learningRate: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The momentum of sgd. (default: \(Program.defaults.momentum))", valueName: "x"))
  var momentum: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Weight decay. (default: 0.01 with adamw, else 0)", valueName: "x"))
  var weightDecay: Double?

  @Option(
    help: ArgumentHelp("The learning-rate schedule: none, step or cosine. (default: none)", valueName: "name"),
    transform: { try NamedChoice.parse($0, "schedule") })
  var schedule: ScheduleKind?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Batches whose gradients are added up before a step. (default: 1)", valueName: "n"))
  var accumulate: Int?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("The largest norm of all gradients together.", valueName: "x"))
  var clipNorm: Double?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("The largest absolute value of a gradient.", valueName: "x"))
  var clipValue: Double?

  @Option(
    help: ArgumentHelp(
      "Continue the run that wrote this checkpoint; last: the newest of the output folder.", valueName: "file"))
  var resume: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Save last.ckpt after so many steps too, not only after epochs.", valueName: "n"))
  var checkpointEverySteps: Int?

  @Flag(help: "Write no checkpoints.")
  var noCheckpoints = false

  /// The settings that these flags make.
  var settings: [CommandLineSetting] {
    var flags = GivenFlags()
    flags.add("--no-shuffle", switchesOff: noShuffle)
    flags.add("--epochs", epochs)
    flags.add("--max-steps", maxSteps)
    flags.add("--optimizer", optimizer?.rawValue)
    flags.add("--lr", learningRate)
    flags.add("--momentum", momentum)
    flags.add("--weight-decay", weightDecay)
    flags.add("--schedule", schedule?.rawValue)
    flags.add("--accumulate", accumulate)
    flags.add("--clip-norm", clipNorm)
    flags.add("--clip-value", clipValue)
    flags.add("--resume", resume)
    flags.add("--checkpoint-every-steps", checkpointEverySteps)
    flags.add("--no-checkpoints", switchesOff: noCheckpoints)
    return flags.settings
  }
}

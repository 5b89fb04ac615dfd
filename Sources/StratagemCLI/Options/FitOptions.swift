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
    help: ArgumentHelp("Batches whose gradients are added up before a step.", valueName: "n"))
  var accumulate = 1

  @Option(
    parsing: .unconditional, help: ArgumentHelp("The largest norm of all gradients together.", valueName: "x"))
  var clipNorm: Double?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("The largest absolute value of a gradient.", valueName: "x"))
  var clipValue: Double?

  @Option(help: ArgumentHelp("Continue the run that wrote this checkpoint.", valueName: "file"))
  var resume: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Save last.ckpt after so many steps too, not only after epochs.", valueName: "n"))
  var checkpointEverySteps: Int?

  @Flag(help: "Write no checkpoints.")
  var noCheckpoints = false

  func validate() throws {
    var check = FlagCheck()
    check.require("--epochs", epochs, atLeast: 1)
    check.require("--max-steps", maxSteps, atLeast: 1)
    check.require("--accumulate", accumulate, atLeast: 1)
    check.require("--checkpoint-every-steps", checkpointEverySteps, atLeast: 1)
    check.require("--lr", learningRate)
    check.require("--momentum", momentum)
    check.require("--weight-decay", weightDecay)
    check.require("--clip-norm", clipNorm, positive: true)
    check.require("--clip-value", clipValue, positive: true)
    try check.finish()
  }

  /// The epochs to train, or nil when only steps count. The program's defaults hold when neither limit is given.
  var chosenEpochs: Int? { epochs ?? (maxSteps == nil ? Program.defaults.epochs : nil) }

  /// The optimizer steps to train at most.
  var chosenMaxSteps: Int? { maxSteps ?? (epochs == nil ? Program.defaults.maxSteps : nil) }

  /// The optimizer and its schedule.
  var optimizerSettings: OptimizerSettings {
    let defaults = Program.defaults
    let kind = optimizer ?? defaults.optimizer
    let usualRate = kind == defaults.optimizer ? defaults.learningRate : kind.usualLearningRate
    return OptimizerSettings(
      kind, learningRate: learningRate ?? usualRate, momentum: momentum ?? defaults.momentum,
      weightDecay: weightDecay, schedule: schedule ?? .none)
  }

  /// The callback that writes checkpoints to `output`.
  func modelCheckpoint(in output: String) -> ModelCheckpoint? {
    if noCheckpoints { return nil }
    let monitor = Program.defaults.monitor
    return ModelCheckpoint(
      directory: output, monitor: monitor?.metric, mode: monitor?.mode ?? .minimum, everyEpochs: 1,
      everySteps: checkpointEverySteps)
  }
}

import Glibc
import Stratagem

/// What options ask of checkpoints.
extension Probe {
  /// The callbacks that write them.
  func makeModelCheckpoints() -> [Callback] {
    (options.has("requeue") ? [SLURMRequeue()] : []) + keepers
  }

  private var keepers: [Callback] {
    let monitor = options["monitor"]
    guard monitor != nil || options.has("every-steps") || options.has("keep") || options.has("no-last") else {
      return []
    }
    let first = ModelCheckpoint(
      monitor: monitor, mode: options["mode"] == "min" ? .minimum : .maximum, keep: options.int("keep"),
      saveLast: !options.has("no-last"), saveWeightsOnly: options.has("weights-only"), fileName: options["name"],
      everyEpochs: options.int("every-epochs"), everySteps: options.int("every-steps"),
      everyInterval: options.int("every-ms").map { .milliseconds($0) },
      saveOnTrainEpochEnd: options.has("after-validation") ? false : nil, saveOnException: options.has("on-exception"),
      enableVersionCounter: options["versions"] != "no")
    guard options.has("second") else { return [first] }
    return [first, ModelCheckpoint(monitor: "train/loss", keep: -1, fileName: "all-{epoch}", everyEpochs: 1)]
  }

  /// What writes them.
  func makePlugins() -> [Any] {
    switch options["async"] {
    case nil: []
    case "slow": [AsyncCheckpointIO(SlowCheckpointIO(base: FileCheckpointIO(), milliseconds: 400))]
    case "endless": [AsyncCheckpointIO(SlowCheckpointIO(base: FileCheckpointIO(), milliseconds: 3_600_000))]
    default: [AsyncCheckpointIO()]
    }
  }

  /// Fits, then evaluates what words stand for.
  func evaluateWords(_ trainer: Trainer) throws {
    let model = makeModel()
    let data = makeData(trainer)
    try trainer.fit(model, data)
    for word in ["best", "last"] {
      let metrics = try trainer.test(makeModel(seed: 9), data, from: word)
      if trainer.isGlobalZero { print("\(word) \(metrics["val/loss"] ?? .nan)") }
    }
    guard trainer.isGlobalZero, let checkpoint = trainer.modelCheckpoint else { return }
    print("path \(checkpoint.bestPath ?? "none") \(checkpoint.bestScore ?? .nan)")
    print("last path \(checkpoint.lastPath ?? "none")")
  }
}

/// A disk that takes a while, and says when a write begins.
struct SlowCheckpointIO: WrappingCheckpointIO {
  let base: any CheckpointIO
  let milliseconds: UInt32

  func save(_ checkpoint: Checkpoint, to path: String, options: [String: String]) throws {
    let line = "writing \(path)\n"
    write(1, line, line.utf8.count)
    usleep(1000 * milliseconds)
    try base.save(checkpoint, to: path, options: options)
  }
}

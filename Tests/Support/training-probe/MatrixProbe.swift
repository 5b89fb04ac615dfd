import Glibc
import Stratagem

/// Fits one after the other, on the same samples a step whatever the number of ranks: some save in the middle, as a folder
/// and as a file, the others go on from what one of them has saved.
///
/// `tasks=save:fsdp,resume:ddp:FOLDER/x.ckpt`; each writes its metrics and random numbers to a folder `save-fsdp` or
/// `resume-0-ddp`, with its number, and the number of processes behind it.
struct MatrixProbe {
  static let stop = 8
  static let steps = 12
  let options: ProbeOptions

  func run() throws {
    for (number, task) in (options["tasks"] ?? "").split(separator: ",").enumerated() {
      let words = task.split(separator: ":").map(String.init)
      let kind = words[0] == "save" ? "save" : "resume-\(number)"
      let folder = "\(options.folder)/\(kind)-\(words[1])-\(options.devices)"
      try fit(words[1], folder, resuming: words.count > 2 ? words[2] : nil)
    }
  }

  private func fit(_ strategy: String, _ folder: String, resuming path: String?) throws {
    let devices = strategy == "dp" ? 2 : options.devices
    let recorder = MatrixRecorder(folder, saves: path == nil)
    let trainer = try Trainer(
      strategy: Self.strategy(strategy), accelerator: "cpu", devices: .count(devices), precision: "64-true",
      until: .steps(Self.steps), clipNorm: 0.5, validationInterval: .all, logInterval: 1, callbacks: [recorder],
      checkpointing: false, output: folder, progress: .silent)
    TorchRuntime.manualSeed(UInt64(options.int("seed", 3)))
    let model = ShardedModel(options)
    try trainer.fit(
      model, train: ShardedProbe.loader(60, batchSize: 12 / (strategy == "dp" ? 1 : devices), shuffle: true),
      resumeFrom: path)
  }

  private static func strategy(_ name: String) -> any StrategyConvertible {
    let policy = WrapPolicy.automatic(minimum: 50)
    return switch name {
    case "fsdp": FSDPStrategy(wrapPolicy: policy)
    case "fsdp-hybrid": FSDPStrategy(wrapPolicy: policy, replicas: 2, shards: 2)
    case "deepspeed_stage_3":
      // Everything is partitioned, however small.
      DeepSpeedStrategy(config: ["zero_optimization": ["stage": 3, "stage3_param_persistence_threshold": 0]])
    default: name
    }
  }
}

/// Draws random numbers in every step, other ones on each rank, and saves in the middle.
private final class MatrixRecorder: Callback {
  private let folder: String
  private let saves: Bool
  private var draws = ""

  init(_ folder: String, saves: Bool) {
    self.folder = folder
    self.saves = saves
  }

  override func onTrainBatchStart(_ trainer: Trainer, _ index: Int) throws {
    let own = Tensor.rand([trainer.rank + 1], dtype: .float64).sum().reshaped([1])
    let all = try trainer.strategy.allGather(own).map { try $0.scalar() }
    draws += "\(trainer.progress.globalStep) \(all.map { "\($0)" }.joined(separator: " "))\n"
  }

  override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {
    guard saves, trainer.progress.globalStep == MatrixProbe.stop else { return }
    for (form, name) in [(StateDictType.sharded, "folder.ckpt"), (.full, "file.ckpt")] {
      trainer.strategy.stateDictType = form
      try trainer.saveCheckpoint(to: "\(folder)/\(name)")
    }
  }

  override func onTrainEnd(_ trainer: Trainer) throws {
    guard trainer.isGlobalZero else { return }
    let file = fopen("\(folder)/draws", "w")
    fputs(draws, file)
    fclose(file)
  }
}

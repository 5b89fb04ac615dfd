import Glibc
import Stratagem

/// Fits one after the other with the configurations `0=...`, `1=...` and so on. The weights of each rank before training,
/// after each step and at the end go to `CONFIGURATION/RANK.STEP.safetensors`.
struct BaguaProbe {
  let options: ProbeOptions

  init(_ options: ProbeOptions) { self.options = options }

  func run() throws {
    var number = 0
    while let text = options["\(number)"] {
      let folder = "\(options.folder)/\(number)"
      mkdir(folder, 0o700)
      try fit(BaguaConfiguration(text), folder, number)
      number += 1
    }
  }

  private func fit(_ configuration: BaguaConfiguration, _ folder: String, _ number: Int) throws {
    let precision: any PrecisionConvertible = configuration["precision"] ?? "32-true"
    let trainer = try Trainer(
      strategy: try configuration.strategy(), accelerator: "cpu", devices: .count(options.devices),
      numNodes: options.int("nodes", 1), precision: precision,
      maxSteps: configuration.int("steps") ?? 6, accumulate: configuration.int("accumulate") ?? 1,
      clipNorm: configuration.double("clip"), sanityBatches: 0,
      callbacks: options.has("digits")
        ? [] : [WeightDump(folder, saving: configuration["save"].map { "\(options.folder)/\($0)" })], loggers: [],
      checkpointing: false, output: folder, progress: .silent)
    let ranks = options.int("ranks") ?? options.devices * options.int("nodes", 1)
    let data = ProbeData(
      options.with("train", "\(24 * ranks)").with("val", configuration["validation"] == nil ? "-1" : "8"),
      HookRecorder(options)
    ) { trainer.rank }
    if let path = options["digits"] {
      let model = BaguaDigits(configuration)
      try trainer.fit(model, try BaguaDigits.data(path))
      if trainer.isGlobalZero { print("accuracy \(trainer.callbackMetrics["val/accuracy"] ?? .nan)") }
      return
    }
    let model = BaguaModel(configuration, rank: trainer.rank)
    do {
      try trainer.fit(model, data, resumeFrom: configuration["resume"].map { "\(options.folder)/\($0)" })
    } catch {
      print("threads after the failure: \(Self.threads)")
      throw error
    }
    print("rank \(trainer.rank) configuration \(number): \(Self.threads) threads")
    if let averaging = (trainer.strategy as? BaguaStrategy)?.algorithm as? AsyncModelAverage {
      print("rank \(trainer.rank) averagings \(averaging.averagingCount)")
    }
  }

  /// How many threads of bagua this process has.
  private static var threads: Int {
    guard let tasks = SystemFolder.entries(of: "/proc/self/task") else { return -1 }
    return tasks.count { SystemFolder.text(of: "/proc/self/task/\($0)/comm")?.hasPrefix("bagua") == true }
  }
}

/// Writes the weights of this rank before training and after each step.
private final class WeightDump: Callback {
  private let folder: String
  private let checkpoint: String?
  private var last = -1

  /// - Parameter checkpoint: where to save the state of training at the end.
  init(_ folder: String, saving checkpoint: String?) {
    self.folder = folder
    self.checkpoint = checkpoint
  }

  private func dump(_ trainer: Trainer) throws {
    guard trainer.progress.globalStep != last else { return }
    last = trainer.progress.globalStep
    try write(trainer, "\(last)")
  }

  private func write(_ trainer: Trainer, _ moment: String) throws {
    guard let module = trainer.strategy.module else { return }
    try Safetensors.save(module.stateDictionary(), to: "\(folder)/\(trainer.rank).\(moment).safetensors")
  }

  override func onTrainStart(_ trainer: Trainer) throws { try dump(trainer) }
  override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws { try dump(trainer) }
  override func onFitEnd(_ trainer: Trainer) throws { try write(trainer, "end") }
  override func onTrainEnd(_ trainer: Trainer) throws {
    // Here and not after the fit: all ranks wait until the file is there.
    if let checkpoint { try trainer.saveCheckpoint(to: checkpoint) }
  }
}

import Glibc
import Stratagem

/// Fits cases one after the other, and writes what a fit comes to down to the bit: `FOLDER/CASE/RUN-RANK`.
///
/// `phase=whole` runs each case undisturbed, as `whole`, and once more with checkpoints after the steps `stops`, as
/// `saving`: a folder and a file in turn, or both with `both`. `phase=resume` goes on from them in new processes, as
/// `STEP-FORM`. `from` is the folder of the checkpoints when it is not this one.
struct ExactProbe {
  let options: ProbeOptions

  func run() throws {
    let stops = (options["stops"] ?? "3").split(separator: ":").compactMap { Int($0) }
    for (number, name) in (options["cases"] ?? "").split(separator: ",").map(String.init).enumerated() {
      func forms(_ stop: Int) -> [String] {
        options.has("both") ? ["folder", "file"] : [(stop + number + options.devices) % 2 == 0 ? "folder" : "file"]
      }
      let folder = "\(options.folder)/\(name)"
      func fit(_ run: String, _ recorder: ExactRecorder, from path: String? = nil) throws {
        do { try self.fit(name, run, recorder, change: stops.max() ?? 3, path) } catch {
          throw ProbeError(description: "\(name), \(run): \(error)")
        }
      }
      if options["phase"] == "whole" {
        try fit("whole", ExactRecorder(folder))
        try fit(
          "saving", ExactRecorder(folder, saving: Dictionary(uniqueKeysWithValues: stops.map { ($0, forms($0)) })))
        continue
      }
      for stop in stops {
        for form in forms(stop) {
          let path = "\(options["from"] ?? options.folder)/\(name)/\(stop)-\(form).ckpt"
          try fit("\(stop)-\(form)", ExactRecorder(folder), from: path)
        }
      }
    }
  }

  private func fit(_ name: String, _ run: String, _ recorder: ExactRecorder, change: Int, _ path: String?) throws {
    let words = name.split(separator: "+").map(String.init)
    let trainer = try Trainer(
      strategy: strategy(words[0], words), accelerator: "cpu", devices: .count(options.devices),
      precision: try precision(words), until: .steps(options.int("steps", 6) * (words.contains("manual") ? 2 : 1)),
      accumulate: words.contains("accumulate") ? 2 : 1, clipNorm: words.contains("clip") ? 0.2 : nil,
      logInterval: 1, callbacks: [recorder], checkpointing: false, output: "\(options.folder)/\(name)/\(run)",
      progress: .silent)
    // Nothing of a resumed run comes from how its model begins.
    TorchRuntime.manualSeed(path == nil ? 3 : 4)
    let model = ExactModel(words, change: change)
    recorder.losses = { model.losses }
    recorder.run = run
    try trainer.fit(
      model, train: ShardedProbe.loader(48, batchSize: 12 / options.devices, shuffle: true), resumeFrom: path)
  }

  private func precision(_ words: [String]) throws -> any PrecisionConvertible {
    if words.contains("bf16") { return "bf16-mixed" }
    // It overflows at first, grows soon, and overflows again.
    guard words.contains("fp16") else { return words[0] == "stage-3-float16" ? "16-mixed" : "32-true" }
    return try MixedPrecision(.float16Mixed, scaler: GradScaler(initialScale: 524_288, growthInterval: 2))
  }

  private func strategy(_ name: String, _ words: [String]) -> any StrategyConvertible {
    let policy = WrapPolicy.automatic(minimum: 30)
    let disk: JSONValue = ["device": "nvme", "nvme_path": .string(options.folder)]
    let emptyMemory: JSONValue = ["device": "nvme", "nvme_path": .string(options.folder), "max_in_cpu": 0]
    return switch name {
    case "fsdp": FSDPStrategy(wrapPolicy: policy)
    case "fsdp-grad": FSDPStrategy(wrapPolicy: policy, sharding: .gradientsAndOptimizer)
    case "stage-0": DeepSpeedStrategy(config: ["zero_optimization": ["stage": 0]])
    case "stage-3":
      DeepSpeedStrategy(config: ["zero_optimization": ["stage": 3, "stage3_param_persistence_threshold": 0]])
    case "stage-3-float16":
      // The scale overflows at first, grows soon, and overflows again.
      DeepSpeedStrategy(config: [
        "zero_optimization": ["stage": 3, "stage3_param_persistence_threshold": 0],
        "fp16": ["enabled": true, "initial_scale_power": 19, "loss_scale_window": 2, "hysteresis": 2],
      ])
    case "stage-2-disk":
      DeepSpeedStrategy(config: ["zero_optimization": ["stage": 2, "sub_group_size": 20, "offload_optimizer": disk]])
    case "stage-3-disk":
      DeepSpeedStrategy(config: [
        "zero_optimization": [
          "stage": 3, "sub_group_size": 20, "stage3_param_persistence_threshold": 0, "offload_optimizer": disk,
          "offload_param": emptyMemory,
        ]
      ])
    default: name
    }
  }
}

/// Saves after steps, and writes at the end what the run came to.
private final class ExactRecorder: Callback {
  var losses: () -> [(step: Int, bits: UInt64)] = { [] }
  var run = ""
  private let folder: String
  /// The forms of the checkpoints after steps that are still to come.
  private var forms: [Int: [String]]
  private var lines: [String] = []

  init(_ folder: String, saving forms: [Int: [String]] = [:]) {
    self.folder = folder
    self.forms = forms
  }

  override func onTrainStart(_ trainer: Trainer) throws { lines.append("start \(try weights(trainer))") }

  /// What this rank holds; empty for what is on disk.
  private func weights(_ trainer: Trainer) throws -> String {
    let held = trainer.module?.parameters().map(\.tensor).filter { $0.device.kind != .meta } ?? []
    return try held.flatMap { try $0.detached().to(.float64).array(as: Double.self) }.map { "\($0)" }
      .joined(separator: " ")
  }

  override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {
    let isManual = trainer.module?.automaticOptimization == false
    let step = trainer.progress.globalStep / (isManual ? 2 : 1)
    for form in forms.removeValue(forKey: step) ?? [] {
      trainer.strategy.stateDictType = form == "folder" ? .sharded : .full
      try trainer.saveCheckpoint(to: "\(folder)/\(step)-\(form).ckpt")
    }
  }

  override func onTrainEnd(_ trainer: Trainer) throws {
    lines += losses().map { "loss \($0.step) \($0.bits)" }
    lines.append("weights \(try weights(trainer))")
    trainer.strategy.stateDictType = .full
    try trainer.saveCheckpoint(to: "\(folder)/\(run).ckpt")
    if trainer.isGlobalZero, let contents = try TorchFile.load("\(folder)/\(run).ckpt").dictionaryValue {
      for key in ["global_step", "state_dict", "optimizer_states", "lr_schedulers"] {
        guard let value = contents[key] else { continue }
        var hash = Hash()
        try hash.add(value)
        lines.append("\(key) \(hash.value)")
      }
      for (key, value) in contents where "\(key)".contains("Precision") { lines.append("precision \(value)") }
    }
    let file = fopen("\(folder)/\(run)-\(trainer.rank)", "w")
    fputs(lines.joined(separator: "\n") + "\n", file)
    fclose(file)
  }

  private struct Hash {
    private(set) var value: UInt64 = 14_695_981_039_346_656_037

    private mutating func add(_ bits: UInt64) { value = (value ^ bits) &* 1_099_511_628_211 }

    private mutating func add(_ text: String) { for byte in text.utf8 { add(UInt64(byte)) } }

    mutating func add(_ value: ArchiveValue) throws {
      switch value {
      case .tensor(let tensor):
        add("\(tensor.shape)")
        for number in try tensor.to(.float64).array(as: Double.self) { add(number.bitPattern) }
      case .list(let values), .tuple(let values): for value in values { try add(value) }
      case .dictionary(let entries):
        for (key, value) in entries {
          add("\(key)")
          try add(value)
        }
      case .double(let number): add(number.bitPattern)
      default: add("\(value)")
      }
    }
  }
}

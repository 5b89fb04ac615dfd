import Glibc
import Stratagem

/// Writes into all parameters between steps, on each rank into what it holds.
private final class Shrinking: Callback {
  override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {
    for parameter in trainer.module?.parameters() ?? [] {
      withoutGradients { parameter.tensor.multiply(by: Scalar(0.9)) }
    }
  }
}

/// Scenarios of sharded strategies. Each step has the same samples on any number of ranks.
struct ShardedProbe {
  let options: ProbeOptions

  init(options: ProbeOptions) {
    self.options = options["deferred"] == "rank" && !Self.isOther ? options.without("deferred") : options
  }

  /// Whether this is rank 1, which some scenarios let do something else than the other ranks.
  private static var isOther: Bool { getenv("LOCAL_RANK").map { String(cString: $0) } == "1" }

  func run() throws {
    let trainer = try makeTrainer()
    TorchRuntime.manualSeed(3)
    var model =
      options.has("deferred") ? try withDeferredInitialization { ShardedModel(options) } : ShardedModel(options)
    var before: ShardedModel?
    for stage in options["stages"]?.split(separator: ",").map(String.init) ?? ["fit"] {
      switch stage {
      case "fit": try trainer.fit(model, train: loader(), validation: validation, resumeFrom: options["resume"])
      case "validate":
        let metrics = try trainer.validate(model, LoaderDataModule(evaluation: loader(options.int("val", 12))))
        if trainer.isGlobalZero { print("val/loss \(metrics["val/loss"] ?? .nan) of \(trainer.evaluatedSamples)") }
      case "predict":
        let rows = try trainer.predict(model, LoaderDataModule(evaluation: loader(options.int("val", 12))))
        if trainer.isGlobalZero, let rows { print("rows \(try rows.to(.float64).array(as: Double.self))") }
      case "save": try trainer.saveCheckpoint(to: "\(options.folder)/after.ckpt")
      case "new": (model, before) = (ShardedModel(options), model)
      case "read":
        do {
          try withErrorScope { _ = before?(.ones([1, 4], dtype: .float64)) }
        } catch {
          print("failed: \(error)")
        }
      case "print": print("rank \(trainer.rank): \(model.parameters().reduce(0) { $0 + $1.tensor.count }) elements")
      default: throw ProbeError(description: "unknown stage \(stage)")
      }
    }
  }

  private func makeTrainer() throws -> Trainer {
    try Trainer(
      strategy: strategy, accelerator: "cpu", devices: .count(options.devices), precision: try precision,
      until: .steps(options.int("steps", 10)), accumulate: options.int("accumulate", 1),
      clipNorm: options.double("clip"), validationInterval: .all, logInterval: 1,
      seed: options.has("seed") ? Self.isOther ? 8 : 7 : nil,
      callbacks: (options.has("summary") ? [ModelSummary()] : []) + (options.has("shrinking") ? [Shrinking()] : []),
      stateDictType: options["state"].flatMap { StateDictType(rawValue: $0) },
      output: options.folder + (options.has("own-output") && Self.isOther ? "/other" : ""), progress: .silent)
  }

  private var precision: any PrecisionConvertible {
    get throws {
      if options["precision"] == "fp16" {
        return try MixedPrecision(.float16Mixed, scaler: GradScaler(initialScale: 1024))
      }
      return options["precision"] ?? "64-true"
    }
  }

  private var strategy: any StrategyConvertible {
    switch options["strategy"] {
    case "engine": EngineStrategy(options)
    case "fsdp-own": OwnFSDPStrategy()
    case "deepspeed-json":
      DeepSpeedStrategy(config: [
        "zero_optimization": ["stage": 2],
        "optimizer": ["type": "AdamW", "params": ["lr": "auto", "betas": "auto", "weight_decay": "auto"]],
      ])
    case "fsdp-hybrid": FSDPStrategy(wrapPolicy: .automatic(minimum: 50), replicas: 2, shards: 2)
    case "fsdp-none": FSDPStrategy(wrapPolicy: .automatic(minimum: 50), sharding: .none)
    case "fsdp-keep": FSDPStrategy(wrapPolicy: .automatic(minimum: 50), sharding: .gradientsAndOptimizer)
    case "deepspeed-parts":
      // Everything is partitioned, however small.
      DeepSpeedStrategy(config: ["zero_optimization": ["stage": 3, "stage3_param_persistence_threshold": 0]])
    case "deepspeed-mics": DeepSpeedStrategy(config: ["zero_optimization": ["stage": 3, "mics_shard_size": 2]])
    case "fsdp-layers": FSDPStrategy(wrapPolicy: .modules(of: Linear.self), timeout: 60)
    case "fsdp-blocks": FSDPStrategy(wrapPolicy: .modules(of: ShardedModel.Block.self), timeout: 60)
    case "fsdp-options": FSDPStrategy(findUnusedParameters: !Self.isOther, timeout: 60)
    case "small-buckets": DDPShardedStrategy(bucketMegabytes: 0.0001, timeout: 60)
    case "fsdp-units": FSDPStrategy(wrapPolicy: .automatic(minimum: 50))
    case let name?: name
    case nil: "single_device"
    }
  }

  private var validation: DataLoader<[Tensor]>? {
    guard let value = options["val"], !(value == "rank" && Self.isOther) else { return nil }
    return loader(options.int("val", 12))
  }

  /// Batches of 12 samples over all ranks.
  private func loader(_ count: Int = 60) -> DataLoader<[Tensor]> {
    Self.loader(
      count, batchSize: 12 / options.devices, shuffle: options.has("shuffle"), seed: options.has("seed") ? nil : 5)
  }

  static func loader(
    _ count: Int, batchSize: Int, shuffle: Bool = false, seed: UInt64? = 5
  ) -> DataLoader<[Tensor]> {
    let values = (0..<4 * count).map { (number: Int) -> Float in
      let whole = (number &* 7919 &+ 13) % 101
      return Float(whole) / 101 - 0.5
    }
    let labels = (0..<count).map { (number: Int) -> Int64 in Int64((number * number + number / 3) % 3) }
    return DataLoader(
      TensorDataset(Tensor(values, shape: [count, 4]), Tensor(labels)), batchSize: batchSize, shuffle: shuffle,
      seed: seed)
  }
}

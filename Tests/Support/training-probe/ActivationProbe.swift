import Stratagem

/// A deep stack of wide blocks with dropout, whose activations are far larger than its parameters.
private final class StackModel: LightningModule<[Tensor]> {
  let blocks = (0..<8).map { _ in
    Sequential {
      Linear(32, 512)
      GELU()
      Dropout(0.2)
      Linear(512, 32)
    }
  }
  /// What it attaches by itself, where the strategy does not.
  private let policy: ActivationCheckpointPolicy?

  init(_ policy: ActivationCheckpointPolicy?) { self.policy = policy }

  override func configureModel() throws { try policy?.apply(to: self) }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    let before = Self.usedBytes
    let loss = blocks.reduce(batch[0]) { $0 + $1($0) }.square().mean()
    // The first step makes things that stay.
    if index == 1 { print("rank \(trainer?.rank ?? 0) keeps \(Self.usedBytes - before) bytes") }
    log("train/loss", loss)
    return .loss(loss)
  }

  override func configureOptimizers() throws -> OptimizerPlan { OptimizerPlan(SGD(self, learningRate: 0.1)) }

  /// The memory of the process without what was freed.
  private static var usedBytes: Int {
    TorchRuntime.releaseFreedMemory()
    return ResidentMemory.byteCount
  }
}

/// What a forward keeps for backward, and three steps of it, with checkpointed activations or without.
struct ActivationProbe {
  let options: ProbeOptions

  func run() throws {
    let policy = ActivationCheckpointPolicy { name, _ in
      name.hasPrefix("blocks.") && name.split(separator: ".").count == 2
    }
    let own = options.has("checkpointed") ? policy : nil
    let wrapping = WrapPolicy.automatic(minimum: 10_000)
    var isAttached = false
    let strategy: any StrategyConvertible
    switch options["strategy"] {
    case "fsdp":
      strategy = FSDPStrategy(wrapPolicy: wrapping, activationCheckpointing: own)
      isAttached = true
    case "deepspeed":
      let config: DeepSpeedConfigSource = [
        "zero_optimization": ["stage": 3, "stage3_param_persistence_threshold": 0],
        "activation_checkpointing": ["cpu_checkpointing": true],
      ]
      strategy = DeepSpeedStrategy(config: config, activationCheckpointing: own)
      isAttached = true
    default: strategy = options["strategy"] ?? "single_device"
    }
    let trainer = try Trainer(
      strategy: strategy, accelerator: "cpu", devices: .count(options.devices), until: .steps(3), logInterval: 1,
      checkpointing: false, output: options.folder, progress: .silent)
    TorchRuntime.manualSeed(3)
    let model = StackModel(isAttached ? nil : own)
    let rows = TensorDataset(Tensor.randn([3 * 2048 * options.devices, 32]))
    try trainer.fit(model, train: DataLoader(rows, batchSize: 2048))
    // The bits of all weights.
    var hash: UInt64 = 14_695_981_039_346_656_037
    for value in try model.parameters().flatMap({ try $0.tensor.array(as: Float.self) }) {
      hash = (hash ^ UInt64(value.bitPattern)) &* 1_099_511_628_211
    }
    print("weights of rank \(trainer.rank): \(hash)")
  }
}

import Stratagem

/// What a model of 64 MiB takes on a rank before and after it is partitioned, and what its state takes.
struct ShardedMemoryProbe {
  private final class WideModel: LightningModule<[Tensor]> {
    let layers = (0..<16).map { _ in Linear(1024, 1024) }

    override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
      .loss(layers.reduce(batch[0]) { $1($0) }.square().mean())
    }

    override func configureOptimizers() throws -> OptimizerPlan { OptimizerPlan(AdamW(self, learningRate: 1e-4)) }
  }

  /// Notes the memory that the process has, and the bytes of state that tensors hold in the step before the last.
  private final class Meter: Callback {
    var resident = 0
    var held: StateBytes?

    override func onTrainStart(_ trainer: Trainer) throws { resident = ResidentMemory.byteCount }

    override func onBeforeOptimizerStep(_ trainer: Trainer, _ optimizer: Optimizer) throws {
      guard let engine = (trainer.strategy as? ShardedStrategy)?.engine else { return }
      held = engine.measureState(of: [optimizer])
    }
  }

  let options: ProbeOptions

  func run() throws {
    let meter = Meter()
    let trainer = try Trainer(
      strategy: EngineStrategy(options.with("bucket", "\(25 << 20)")), accelerator: "cpu",
      devices: .count(options.devices), until: .steps(2), callbacks: [meter], loggers: [], checkpointing: false,
      output: options.folder, progress: .silent)
    let model = WideModel()
    let before = ResidentMemory.byteCount
    let data = TensorDataset(Tensor.ones([4 * options.devices, 1024]))
    try trainer.fit(model, train: DataLoader(data, batchSize: 2))
    guard let held = meter.held else { throw ProbeError(description: "nothing is partitioned") }
    let bytes = [held.parameters, held.gradients, held.optimizers, before - meter.resident]
    print("bytes " + bytes.map { "\($0)" }.joined(separator: " "))
  }
}

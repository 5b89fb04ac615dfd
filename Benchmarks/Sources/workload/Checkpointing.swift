import Stratagem
import Torch
import TorchNN
import TorchOptim

/// How long a checkpoint of half a gigabyte, written in the background, keeps training from going on, against a copy of
/// the same tensors in memory.
enum Checkpointing {
  static func measure(rounds: Int, temporary: String) throws -> Result {
    let io = AsyncCheckpointIO()
    let meter = Meter(io, path: temporary + "/checkpoint-benchmark.ckpt")
    let trainer = try Trainer(
      strategy: "single_device", accelerator: "cpu", devices: 1, plugins: [io], until: .steps(rounds + 1),
      callbacks: [meter], loggers: [], checkpointing: false, output: temporary, progress: .silent)
    try trainer.fit(Wide(), Noise(batches: rounds + 1))
    var result = Result()
    result.add("megabytes", meter.megabytes)
    result.add("copy_ms", Array(meter.copies.dropFirst()).median * 1e3)
    result.add("blocked_ms", Array(meter.blocked.dropFirst()).median * 1e3)
    result.add("written_ms", Array(meter.written.dropFirst()).median * 1e3)
    result.add("ratio", zip(meter.blocked, meter.copies).dropFirst().map { $0 / $1 }.median)
    return result
  }
}

/// 42 million parameters, which AdamW triples: 504 MB.
private final class Wide: LightningModule<Tensor> {
  let layers = ModuleList((0..<40).map { _ in Linear(1024, 1024) })

  override func trainingStep(_ batch: Tensor, at index: Int) throws -> StepOutput {
    .loss(layers.reduce(batch) { $1($0) }.square().mean())
  }

  override func configureOptimizers() throws -> OptimizerPlan { OptimizerPlan(AdamW(self, learningRate: 1e-3)) }
}

private final class Noise: DataModule<Tensor> {
  private let batches: Int
  init(batches: Int) { self.batches = batches }
  override func trainingLoader() -> DataLoader<Tensor>? {
    DataLoader(TensorDataset(Tensor.randn([4 * batches, 1024])).map { $0[0] }, batchSize: 4)
  }
}

/// After every step copies the state, then saves it, and waits until it is written.
private final class Meter: Callback {
  private let io: AsyncCheckpointIO
  private let path: String
  var copies: [Double] = []
  var blocked: [Double] = []
  var written: [Double] = []
  var megabytes = 0.0

  init(_ io: AsyncCheckpointIO, path: String) {
    self.io = io
    self.path = path
  }

  override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {
    let tensors = self.tensors(of: trainer)
    megabytes = Double(tensors.reduce(0) { $0 + $1.byteCount }) / 1e6
    var clones: [Tensor] = []
    clones.reserveCapacity(tensors.count)
    copies.append(Clock.seconds { for tensor in tensors { clones.append(tensor.clone()) } })
    clones.removeAll()
    let start = Clock.now
    try trainer.saveCheckpoint(to: path)
    blocked.append(Clock.now - start)
    try io.tearDown()
    written.append(Clock.now - start)
  }

  private func tensors(of trainer: Trainer) -> [Tensor] {
    var tensors = trainer.strategy.parameters.map { $0.tensor.detached() }
    for optimizer in trainer.strategy.optimizers {
      for group in optimizer.parameterGroups {
        for position in group.parameters.indices {
          tensors += optimizer.state(of: position, in: group).compactMap { $0.value.tensorValue }
        }
      }
    }
    return tensors
  }
}

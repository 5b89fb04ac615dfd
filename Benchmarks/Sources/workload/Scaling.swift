import Stratagem

/// The compute-bound convolutional network (workload W4).
final class ConvNet: LightningModule<[Tensor]> {
  final class Block: Layer<Tensor, Tensor> {
    let conv1 = Conv2d(64, 64, kernelSize: 3, padding: 1)
    let conv2 = Conv2d(64, 64, kernelSize: 3, padding: 1)

    override func forward(_ input: Tensor) -> Tensor { (input + conv2(conv1(input).relu())).relu() }
  }

  let stem = Conv2d(3, 64, kernelSize: 3, padding: 1)
  let blocks = (0..<4).map { _ in Block() }
  let head = Linear(64, 10)

  func callAsFunction(_ images: Tensor) -> Tensor {
    var x = stem(images).relu()
    for block in blocks { x = block(x) }
    return head(Aten.mean(x, dim: [2, 3]))
  }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    .loss(Functional.crossEntropy(self(batch[0]), batch[1]))
  }

  override func configureOptimizers() throws -> OptimizerPlan { OptimizerPlan(AdamW(self, learningRate: 3e-4)) }
}

/// Samples per second of the ConvNet on one or more processes or replicas of one thread each, 16 samples for each and step.
enum Scaling {
  static let batchSize = 16
  static let warmup = 2

  static func run(strategy: String, devices: Int, steps: Int) throws {
    let count = 160 * devices
    let images = Tensor.uniform(-1..<1, shape: [count, 3, 32, 32])
    let labels = Tensor.arange(count) % 10
    let loader = DataLoader(
      TensorDataset(images, labels), batchSize: strategy == "dp" ? batchSize * devices : batchSize, dropLast: true)
    let clock = StepClock(warmup: warmup, window: 1, windows: steps)
    let trainer = try Trainer(
      strategy: strategy, accelerator: "cpu", devices: .count(devices),
      until: .steps(warmup + steps), callbacks: [clock], loggers: [], checkpointing: false, progress: .silent)
    try trainer.fit(ConvNet(), train: loader)
    guard trainer.isGlobalZero else { return }
    var result = Result()
    result.add("samples_per_second", Double(batchSize * devices) / clock.seconds.median)
    result.add("step_ms", clock.seconds.median * 1e3)
    result.print()
  }
}

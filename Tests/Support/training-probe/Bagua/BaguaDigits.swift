import Stratagem

/// The classifier of the digits example.
final class BaguaDigits: LightningModule<[Tensor]> {
  let fc1: Linear
  let fc2: Linear
  private let configuration: BaguaConfiguration

  init(_ configuration: BaguaConfiguration) {
    TorchRuntime.manualSeed(7)
    fc1 = Linear(64, 64)
    fc2 = Linear(64, 10)
    self.configuration = configuration
  }

  /// The data of the example: 1500 images to train on and the rest to validate on.
  static func data(_ path: String) throws -> DataModule<[Tensor]> {
    let table = try CSVTable(path)
    let digits = TensorDataset(
      try table.tensor(columns: 0..<64) / 16, try table.labels(column: "label", validLabels: 0..<10))
    return LoaderDataModule(
      training: DataLoader(digits.subset(0..<1500), batchSize: 16, shuffle: true, dropLast: true, seed: 3),
      evaluation: DataLoader(digits.subset(1500..<digits.count), batchSize: 64))
  }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    .loss(Functional.crossEntropy(fc2(fc1(batch[0]).relu()), batch[1]))
  }

  override func validationStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    let correct = fc2(fc1(batch[0]).relu()).argmax(dim: 1) .== batch[1]
    log("val/accuracy", correct.to(.float64).mean())
    return .skipped
  }

  override func configureOptimizers() throws -> OptimizerPlan {
    let optimizer: Optimizer =
      configuration["optimizer"] == "qadam"
      ? QAdam(self, learningRate: 3e-3, warmupSteps: configuration.int("warmup") ?? 100)
      : SGD(self, learningRate: 0.1, momentum: 0.9)
    // Without it the noise of the last steps, larger where each rank steps by its own gradient, decides.
    let schedule = CosineAnnealingLR(optimizer, maximumSteps: configuration.int("steps") ?? 460)
    return OptimizerPlan(optimizer, schedule: schedule, every: .step)
  }
}

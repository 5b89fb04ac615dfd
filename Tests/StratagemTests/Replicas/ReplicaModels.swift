import Stratagem

/// Numbers that look random and are the same everywhere, in -0.5..<0.5.
func scattered(_ shape: [Int], seed: Int) -> Tensor {
  let count = shape.reduce(1, *)
  return Tensor(
    (0..<count).map { Float((($0 &+ seed) &* 7919 &+ 13 &+ seed &* 31) % 1009) / 1009 - 0.5 }, shape: shape)
}

/// 6 numbers into 3 classes; the layers in the middle share their weight.
class ReplicaModel: LightningModule<[Tensor]> {
  let first = Linear(6, 8)
  let second = Linear(8, 8)
  let third = Linear(8, 8)
  let head = Linear(8, 3)
  @Parameter var scale: Tensor? = .ones([3])
  @Parameter var absent: Tensor? = nil
  var makeOptimizer: (ReplicaModel) -> Optimizer = { SGD($0, learningRate: 0.1, momentum: 0.9) }
  /// What a training step does besides, given the batch.
  var fault: ((ReplicaModel, [Tensor]) throws -> StepOutput?)?

  override init() {
    super.init()
    third.$weight.tensor = second.$weight.tensor
    for (number, parameter) in parameters().enumerated() where parameter !== $scale {
      withoutGradients { parameter.tensor.copy(from: scattered(parameter.tensor.shape, seed: 100 * number)) }
    }
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let hidden = third(second(first(input).relu()).relu()).relu()
    let output = head(hidden)
    return scale.map { output * $0 } ?? output
  }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    if let output = try fault?(self, batch) { return output }
    let loss = Functional.crossEntropy(self(batch[0]), batch[1])
    log("loss", loss)
    return .loss(loss)
  }

  override func validationStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    let output = self(batch[0])
    log("val/loss", Functional.crossEntropy(output, batch[1]))
    let correct = try (output.argmax(dim: 1) .== batch[1]).sum().integer()
    log("val/accuracy", Double(correct) / Double(batch[1].count))
    return .skipped
  }

  override func predictStep(_ batch: [Tensor], at index: Int) throws -> Tensor? { self(batch[0]) }

  override func configureOptimizers() throws -> OptimizerPlan { OptimizerPlan(makeOptimizer(self)) }
}

/// A number of samples, the last batch shorter than the others where they do not fit.
func replicaLoader(samples: Int, batch: Int) -> DataLoader<[Tensor]> {
  DataLoader(
    TensorDataset(scattered([samples, 6], seed: 7), Tensor((0..<samples).map { Int64($0 % 3) })), batchSize: batch)
}

/// Keeps the loss of each batch, and does something at the start of a batch.
final class LossRecorder: Callback {
  private(set) var losses: [Double] = []
  private let atBatch: (Int) -> Void

  init(atBatch: @escaping (Int) -> Void = { _ in }) { self.atBatch = atBatch }

  override func onTrainBatchStart(_ trainer: Trainer, _ index: Int) throws { atBatch(trainer.progress.totalBatches) }

  override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {
    losses.append(trainer.callbackMetrics["loss"] ?? .nan)
  }
}

/// What a run leaves.
struct ReplicaResult {
  let losses: [Double]
  let weights: [[Float]]

  /// Trains on `replicas` devices; 1 is one device without replicas.
  init(
    _ model: ReplicaModel, replicas: Int, samples: Int = 24, batch: Int, steps: Int, accumulate: Int = 1,
    clipNorm: Double? = nil, clipValue: Double? = nil, precision: any PrecisionConvertible = .float32,
    validation: DataLoader<[Tensor]>? = nil, atBatch: @escaping (Int) -> Void = { _ in }
  ) throws {
    let recorder = LossRecorder(atBatch: atBatch)
    let trainer = try Trainer(
      strategy: replicas == 1 ? "single_device" : "dp", accelerator: "cpu", devices: .count(replicas),
      precision: precision, maxSteps: steps, accumulate: accumulate, clipNorm: clipNorm, clipValue: clipValue,
      sanityBatches: 0, callbacks: [recorder], loggers: [], checkpointing: false, progress: .silent)
    try trainer.fit(model, train: replicaLoader(samples: samples, batch: batch), validation: validation)
    losses = recorder.losses
    weights = try model.parameters().map { try $0.tensor.detached().to(.float32).reshaped([-1]).array(as: Float.self) }
  }

  /// The largest distance between losses, and between weights.
  func distance(to other: ReplicaResult) -> (loss: Double, weight: Float) {
    guard losses.count == other.losses.count, weights.map(\.count) == other.weights.map(\.count) else {
      return (.infinity, .infinity)
    }
    let loss = zip(losses, other.losses).map { abs($0 - $1) }.max() ?? .infinity
    let weight = zip(weights.joined(), other.weights.joined()).map { abs($0 - $1) }.max() ?? .infinity
    return (loss.isNaN ? .infinity : loss, weight.isNaN ? .infinity : weight)
  }
}

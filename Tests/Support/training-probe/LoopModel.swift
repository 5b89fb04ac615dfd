import Stratagem

/// A small classifier that tells which samples it sees, and does on request what users do in loops.
final class LoopModel: LightningModule<[Tensor]> {
  let fc1 = Linear(4, 6)
  let norm: BatchNorm1d?
  let fc2 = Linear(6, 3)
  private let options: ProbeOptions
  private let events: EventLog
  /// What a validation step left for the training steps.
  private var kept: Tensor?

  init(_ options: ProbeOptions, _ events: EventLog) {
    self.options = options
    self.events = events
    norm = options.has("batch-norm") ? BatchNorm1d(6) : nil
    super.init()
    fill(self)
  }

  override var automaticOptimization: Bool { !options.has("manual") }

  func callAsFunction(_ input: Tensor) -> Tensor {
    let hidden = fc1(input)
    return fc2((norm?(hidden) ?? hidden).relu())
  }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    if options.has("samples") { events.note("samples \(try batch[2].array(as: Int64.self))") }
    let loss = Functional.crossEntropy(self(batch[0]), batch[1])
    if options["deterministic"] != nil {
      events.note("empty is \(try Tensor.empty([1]).scalar())")
    }
    if options.has("call-manual-backward") { try manualBackward(loss) }
    if let kept { return .loss(loss + (kept * fc2.bias!).sum()) }
    log("train/loss", loss, on: options.has("epoch-loss") ? [.step, .epoch] : .step)
    if options["anomaly"] == "\(index)" {
      // The root of zero has an infinite slope; times zero it is NaN.
      return .loss(loss + (fc2.bias! * 0).square().sum().sqrt() * 0)
    }
    if !automaticOptimization {
      try manualBackward(loss)
      if (index + 1) % options.int("window", 1) == 0 {
        try optimizers[0].step()
        optimizers[0].zeroGradients()
      }
    }
    return .loss(loss)
  }

  override func validationStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    let output = self(batch[0])
    if options.has("draws") { _ = Tensor.rand([3]) }
    if options.has("keep") { kept = output }
    log("val/loss", Functional.crossEntropy(output, batch[1]))
    log("val/samples", batch[0].sum())
    if let scores = options["scores"]?.split(separator: ",").compactMap({ Double($0) }) {
      let epoch = min(trainer?.progress.epoch ?? 0, scores.count - 1)
      let isFirst = trainer?.isSanityChecking ?? false
      log("score", isFirst ? .nan : scores[epoch])
    }
    return .skipped
  }

  override func onTrainEpochEnd() throws {
    guard let trainer else { return }
    if let scores = options["own-scores"]?.split(separator: ";"), trainer.rank < scores.count {
      // A value of each rank's own.
      let values = scores[trainer.rank].split(separator: ",").compactMap { Double($0) }
      log("own", values[min(trainer.progress.epoch - 1, values.count - 1)], acrossRanks: false)
    }
  }

  override func predictStep(_ batch: [Tensor], at index: Int) throws -> Tensor? { self(batch[0]) }

  override func configureCallbacks() -> [Callback] {
    if let patience = options.int("own-patience") { return [EarlyStopping(monitor: "score", patience: patience)] }
    return options.has("own-checkpoint") ? [ModelCheckpoint(monitor: nil)] : []
  }

  override func configureOptimizers() throws -> OptimizerPlan {
    let optimizer = SGD(self, learningRate: 0.1, momentum: options.double("momentum", 0.9))
    if options.has("two-optimizers") {
      return OptimizerPlan([optimizer, SGD(self, learningRate: 0.1)])
    }
    switch options["schedule"] {
    case "plateau":
      return OptimizerPlan(
        optimizer, schedule: ReduceLROnPlateau(optimizer, factor: 0.5, patience: 0, threshold: 10), every: .step,
        frequency: options.int("frequency", 1), monitor: options["monitor"] ?? "train/loss")
    case "step": return OptimizerPlan(optimizer, schedule: StepLR(optimizer, stepSize: 1, gamma: 0.5))
    default: return OptimizerPlan(optimizer)
    }
  }
}

/// Gives the parameters of a module values that PyTorch's side of the tests makes by the same formula: for element k of
/// parameter p, ((7919 k + 31 p + 13) mod 101) / 101 - 0.5.
func fill(_ module: Module) {
  for (number, parameter) in module.parameters().enumerated() {
    let count = parameter.tensor.count
    let values = (0..<count).map { Float(($0 * 7919 + 31 * number + 13) % 101) / 101 - 0.5 }
    withoutGradients { parameter.tensor.detached().copy(from: Tensor(values, shape: parameter.tensor.shape)) }
  }
}

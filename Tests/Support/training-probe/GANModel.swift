import Stratagem

/// A generator and a discriminator, each with an optimizer and a schedule, trained by hand in every step.
final class GANModel: LightningModule<[Tensor]> {
  final class Part: Module {
    let fc1: Linear
    let fc2: Linear

    init(_ outputs: Int) {
      fc1 = Linear(4, 8)
      fc2 = Linear(8, outputs)
    }

    func callAsFunction(_ input: Tensor) -> Tensor { fc2(fc1(input).relu()) }
  }

  let generator = Part(4)
  let discriminator = Part(1)
  private let options: ProbeOptions

  init(_ options: ProbeOptions) {
    self.options = options
    super.init()
    fill(self)
  }

  override var automaticOptimization: Bool { false }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    let window = options.int("window", 1)
    if window > 1, (index + 1) % window != 0 {
      try trainer?.strategy.noSync { try play(batch[0], window, isLast: false) }
    } else {
      try play(batch[0], window, isLast: true)
    }
    return .skipped
  }

  private func play(_ real: Tensor, _ window: Int, isLast: Bool) throws {
    let (first, second) = (optimizers[0], optimizers[1])
    let noise = real * 0.5
    try first.toggled {
      let judged = discriminator(generator(noise))
      let loss = Functional.bceWithLogits(judged, Tensor.ones(judged.shape))
      log("generator/loss", loss)
      try manualBackward(loss / Double(window))
      if isLast {
        if let norm = options["clip"].flatMap(Double.init) { try clipGradients(of: first, norm: norm) }
        try first.step()
        first.zeroGradients()
      }
    }
    try second.toggled {
      let judged = discriminator(real)
      let forged = discriminator(generator(noise).detached())
      let loss =
        (Functional.bceWithLogits(judged, Tensor.ones(judged.shape))
          + Functional.bceWithLogits(forged, Tensor.zeros(forged.shape))) / 2
      log("discriminator/loss", loss)
      try manualBackward(loss / Double(window))
      if isLast {
        try second.step()
        second.zeroGradients()
      }
    }
  }

  override func onTrainEpochEnd() { for entry in schedules { entry.schedule.step() } }

  override func configureOptimizers() -> OptimizerPlan {
    let first = Adam(generator, learningRate: 0.01)
    let second = SGD(discriminator, learningRate: 0.1, momentum: 0.9)
    return OptimizerPlan(
      [first, second],
      schedules: [
        .init(StepLR(first, stepSize: 1, gamma: 0.5)), .init(ExponentialLR(second, gamma: 0.8)),
      ])
  }
}

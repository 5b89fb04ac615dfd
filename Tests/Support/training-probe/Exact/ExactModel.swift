import Stratagem

/// A model with dropout and on request all that comes and goes in a run: parameters that are frozen or unused at first,
/// groups with options of their own, two optimizers.
///
/// Its case is words joined by `+`, the strategy first: `fsdp+lamb+groups+late`.
final class ExactModel: LightningModule<[Tensor]> {
  let stem = Linear(4, 6)
  let middle = [Linear(6, 7), Linear(7, 6)]
  let late = Linear(6, 6)
  let dropout = Dropout(0.25)
  let head = Linear(6, 3)
  private let words: Set<String>
  /// The step after which frozen parameters are trained, and unused ones used.
  private let change: Int
  /// The bits of this rank's losses, with the number of steps made before.
  private(set) var losses: [(step: Int, bits: UInt64)] = []

  init(_ words: [String], change: Int) {
    self.words = Set(words)
    self.change = change
    super.init()
    if has("unfreeze") { for layer in middle { layer.freeze() } }
  }

  private func has(_ word: String) -> Bool { words.contains(word) }

  override var automaticOptimization: Bool { !has("manual") }

  private var steps: Int { (trainer?.progress.globalStep ?? 0) / (has("manual") ? 2 : 1) }

  override func onTrainBatchStart(_ index: Int) throws {
    if has("unfreeze"), steps >= change { for layer in middle { layer.unfreeze() } }
  }

  private func loss(_ batch: [Tensor]) throws -> Tensor {
    var x = stem(batch[0]).tanh()
    x = x + middle[1](dropout(middle[0](x).tanh()))
    if has("late"), steps >= change { x = x + late(x).tanh() }
    let loss = Functional.crossEntropy(head(x), batch[1])
    losses.append((steps, try loss.detached().scalar().bitPattern))
    return loss
  }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    guard has("manual") else { return .loss(try loss(batch)) }
    for (number, optimizer) in optimizers.enumerated() {
      try optimizer.toggled {
        try manualBackward(try loss(batch))
        if number == 0 { try clipGradients(of: optimizer, norm: 0.1) }
        try optimizer.step()
        optimizer.zeroGradients()
      }
      schedules[number].schedule.step()
    }
    return .skipped
  }

  override func configureOptimizers() throws -> OptimizerPlan {
    if has("manual") {
      let body = (stem.parameters() + middle.flatMap { $0.parameters() }, "")
      let (first, second) = (try makeOptimizer([body]), try makeOptimizer([(head.parameters(), "")]))
      return OptimizerPlan(
        [first, second],
        schedules: [.init(ExponentialLR(first, gamma: 0.9)), .init(CosineAnnealingLR(second, maximumSteps: 20))])
    }
    let parts =
      has("groups")
      ? [
        (stem.parameters(), "first"),
        (middle.flatMap { $0.parameters() } + late.parameters(), ""), (head.parameters(), "last"),
      ] : [(parameters(), "")]
    let optimizer = try makeOptimizer(parts)
    if has("per-epoch") { return OptimizerPlan(optimizer, schedule: StepLR(optimizer, stepSize: 1, gamma: 0.7)) }
    guard has("per-step") else { return OptimizerPlan(optimizer) }
    return OptimizerPlan(optimizer, schedule: WarmupLR(optimizer, warmUpSteps: 4), every: .step)
  }

  private func makeOptimizer(_ parts: [(parameters: [AnyParameter], name: String)]) throws -> Optimizer {
    func rate(_ name: String) -> Double { name == "first" ? 0.003 : name == "last" ? 0.03 : 0.01 }
    func decay(_ name: String) -> Double { name == "first" ? 0.1 : 0.01 }
    if has("sgd") {
      return SGD(
        groups: parts.map {
          SGD.Group($0.parameters, learningRate: 10 * rate($0.name), momentum: 0.9, weightDecay: decay($0.name))
        })
    }
    if has("lamb") {
      return Lamb(
        groups: parts.map { Lamb.Group($0.parameters, learningRate: rate($0.name), weightDecay: decay($0.name)) })
    }
    if has("qadam") {
      return QAdam(
        groups: parts.map { QAdam.Group($0.parameters, learningRate: rate($0.name), weightDecay: decay($0.name)) },
        warmupSteps: 2)
    }
    if let kind = ["one-bit-adam", "zero-one-adam", "one-bit-lamb"].first(where: has) {
      return try makeCompressed(
        kind,
        parts.map {
          CompressedOptimizer.Group(
            $0.parameters, learningRate: rate($0.name), betas: (0.8, 0.95), epsilon: 1e-3,
            weightDecay: decay($0.name))
        })
    }
    let groups = parts.map {
      Adam.Group(
        $0.parameters, learningRate: rate($0.name), betas: $0.name == "last" ? (0.8, 0.9) : (0.9, 0.999),
        weightDecay: decay($0.name), amsgrad: has("amsgrad"))
    }
    return has("amsgrad") ? Adam(groups: groups) : AdamW(groups: groups)
  }

  /// The warm-up ends after two steps, the gradients of 0/1 Adam are compressed from the third on.
  private func makeCompressed(_ kind: String, _ groups: [CompressedOptimizer.Group]) throws -> Optimizer {
    let group = (trainer?.strategy as? ParallelStrategy)?.group
    switch kind {
    case "one-bit-adam": return OneBitAdam(groups: groups, over: group, freezeStep: 2)
    case "one-bit-lamb": return OneBitLamb(groups: groups, over: group, freezeStep: 2)
    default:
      var policy = ZeroOneAdam.Policy()
      policy.varianceFreezeStep = 3
      policy.varianceUpdateScaler = 1
      policy.localStepScaler = 1
      policy.localStepClipper = 4
      return ZeroOneAdam(groups: groups, over: group, policy: policy)
    }
  }
}

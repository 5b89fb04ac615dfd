import Glibc
import Stratagem

/// Blocks in a list, as transformers have them, with what makes life hard for sharding on request: shared, frozen and unused
/// parameters.
final class ShardedModel: LightningModule<[Tensor]> {
  final class Block: Layer<Tensor, Tensor> {
    let fc1 = Linear(6, 11)
    let norm = LayerNorm([11])
    let fc2 = Linear(11, 6)
    @Parameter var gain: Tensor
    /// A parameter of another block, or nothing.
    @Parameter var shared: Tensor?

    init(sharing other: Block?) {
      gain = .ones([1])
      shared = nil
      super.init()
      if let other { _shared.tensor = other.$gain.tensor }
    }

    override func forward(_ input: Tensor) -> Tensor {
      let output = fc2(norm(fc1(input)).tanh())
      return input + output * gain * (shared ?? Tensor(1.0, dtype: input.dtype))
    }
  }

  let stem = Linear(4, 6)
  let blocks: [Block]
  let extra: Linear?
  let head = Linear(6, 3)
  private let options: ProbeOptions

  init(_ options: ProbeOptions) {
    self.options = options
    var blocks: [Block] = []
    for _ in 0..<3 { blocks.append(Block(sharing: options.has("tied") ? blocks.last : nil)) }
    self.blocks = blocks
    extra = options.has("unused") ? Linear(6, 6) : nil
    super.init()
    if !options.has("seeded") { fill(self) }
    if options["frozen"] == "block" { blocks[1].freeze() }
    if options["frozen"] == "norm" { for block in blocks { block.norm.freeze() } }
    if options["frozen"] == "first" {
      stem.freeze()
      blocks[0].freeze()
    }
  }

  override func configureModel() throws {
    guard options.has("checkpointed") else { return }
    for block in blocks { try ActivationCheckpoint().attach(to: block) }
  }

  override var automaticOptimization: Bool { !options.has("manual") }

  /// Whether this rank, in this step, uses the layer that others do not.
  private func usesExtra(_ index: Int) -> Bool {
    let rank = trainer?.rank ?? 0
    return switch options["unused"] {
    case "odd": index % 2 == 1
    case "rank": rank == 1 && index % 2 == 1
    case "others": rank == 0
    case "evaluation": rank == 1 && index < 0
    default: false
    }
  }

  func callAsFunction(_ input: Tensor, _ index: Int = 0) -> Tensor {
    var x = stem(input)
    let isReversed = options["order"] == "rank" && trainer?.rank == 1
    for block in isReversed ? blocks.reversed() : blocks {
      x = block(x)
      if options.has("kill"), index == 2, trainer?.rank == 1 { raise(SIGKILL) }
    }
    if let extra, usesExtra(index) { x = x + extra(x) }
    return head(x)
  }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    if options.has("fail"), index == 1, trainer?.rank == 1 { throw ProbeError(description: "rank 1 fails") }
    let loss = Functional.crossEntropy(self(batch[0], index), batch[1])
    log("train/loss", loss)
    if let own = options["own"] { return .loss(loss + takeGradients(batch, isPenalty: own == "penalty")) }
    guard options.has("manual") else { return .loss(options.has("overflow") && index == 2 ? loss * 1e36 : loss) }
    // One half of the model after the other, each with an optimizer of its own.
    for (number, optimizer) in optimizers.enumerated() {
      try optimizer.toggled {
        let loss = Functional.crossEntropy(self(batch[0], index), batch[1])
        try manualBackward(loss)
        if number == 0 { try clipGradients(of: optimizer, norm: 0.5) }
        try optimizer.step()
        optimizer.zeroGradients()
      }
    }
    return .skipped
  }

  /// A loss from gradients that the step takes by itself: those of the inputs, which are penalized or added to them.
  private func takeGradients(_ batch: [Tensor], isPenalty: Bool) -> Tensor {
    let input = batch[0].detached()
    input.requiresGradient = true
    let count = Double(input.size(0))
    let loss = Functional.crossEntropy(self(input), batch[1]) * count
    let gradient = Tensor.gradients(of: [loss], withRespectTo: [input], createGraph: isPenalty)[0]
    let other = Functional.crossEntropy(self(batch[0] + (isPenalty ? input.detached() : gradient * 0.5)), batch[1])
    return isPenalty ? other + gradient.square().sum() / count : other
  }

  override func validationStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    log("val/loss", Functional.crossEntropy(self(batch[0], -1), batch[1]))
    return .skipped
  }

  override func predictStep(_ batch: [Tensor], at index: Int) throws -> Tensor? { self(batch[0]) }

  /// The optimizers of the library, by name.
  private func makeOptimizer() throws -> Optimizer {
    switch options["optimizer"] {
    case "sgd": SGD(self, learningRate: 0.05, momentum: 0.9, weightDecay: 0.01)
    case "nesterov": SGD(self, learningRate: 0.05, momentum: 0.9, weightDecay: 0.01, nesterov: true)
    case "adam": Adam(self, learningRate: 0.01, weightDecay: 0.01, amsgrad: true)
    case "lamb": Lamb(self, learningRate: 0.01, weightDecay: 0.01)
    case "own": OwnOptimizer(self)
    case "qadam": QAdam(self, learningRate: 0.01, warmupSteps: 4)
    case "zero": try ZeroRedundancyOptimizer(AdamW(self, learningRate: 0.01))
    case "one-bit":
      OneBitAdam(groups: [CompressedOptimizer.Group(parameters(), learningRate: 0.01)], over: nil)
    default: AdamW(self, learningRate: 0.01)
    }
  }

  override func configureOptimizers() throws -> OptimizerPlan {
    if options.has("manual") {
      let isLamb = options["optimizer"] == "lamb"
      return OptimizerPlan([
        isLamb ? Lamb(blocks[0], learningRate: 0.01) : AdamW(blocks[0], learningRate: 0.01),
        isLamb ? Lamb(head, learningRate: 0.02) : SGD(head, learningRate: 0.1, momentum: 0.9),
      ])
    }
    let optimizer = try makeOptimizer()
    guard options["schedule"] == "cosine" else { return OptimizerPlan(optimizer) }
    return OptimizerPlan(optimizer, schedule: CosineAnnealingLR(optimizer, maximumSteps: 100), every: .step)
  }
}

public import Torch
public import TorchNN

/// Adam for compressed communication: after a warm-up its second moment stands still, and ranks exchange the first one
/// instead of gradients.
///
/// In steps 1 to `warmupSteps`: m ← β₁m + (1-β₁)g; v ← β₂v + (1-β₂)g². Later: m ← β₁m + (1-β₁)g with v as it is, and with
/// the algorithm `qadam` of `bagua` m becomes its mean over the ranks, sent in 8 bits. Then, in every step t,
/// p ← p - lr/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + ε). Weight decay is added to the gradient.
///
/// See "1-bit Adam", [arXiv:2102.02888](https://arxiv.org/abs/2102.02888), and Bagua's `QAdamOptimizer`. Upstream updates
/// neither moment in step `warmupSteps`; here both are.
public final class QAdam: Optimizer {
  private let groups: [Group]
  /// The steps at the beginning in which gradients are averaged and both moments follow them; at least 1.
  public let warmupSteps: Int

  /// Creates an optimizer of several groups with options of their own.
  ///
  /// A `warmupSteps` below 1 is recorded as a `TorchError`.
  public init(groups: [Group], warmupSteps: Int = 100) {
    self.groups = groups
    self.warmupSteps = warmupSteps
    super.init(groups: groups)
    if warmupSteps < 1 {
      _ = Tensor.failed(operation: "QAdam", message: "warmupSteps is \(warmupSteps); give at least 1")
    }
  }

  /// Creates an optimizer of all parameters of a module.
  public convenience init(
    _ module: Module, learningRate: Double = 1e-3, warmupSteps: Int = 100, betas: (Double, Double) = (0.9, 0.999),
    epsilon: Double = 1e-8, weightDecay: Double = 0
  ) {
    let named = module.namedParameters()
    self.init(
      groups: [
        Group(
          named.map(\.parameter), names: named.map(\.name), learningRate: learningRate, betas: betas,
          epsilon: epsilon, weightDecay: weightDecay)
      ], warmupSteps: warmupSteps)
  }

  /// Creates an optimizer of the parameters given.
  public convenience init(
    _ parameters: [AnyParameter], learningRate: Double = 1e-3, warmupSteps: Int = 100,
    betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8, weightDecay: Double = 0
  ) {
    self.init(
      groups: [
        Group(parameters, learningRate: learningRate, betas: betas, epsilon: epsilon, weightDecay: weightDecay)
      ], warmupSteps: warmupSteps)
  }

  /// The steps taken so far.
  public var stepCount: Int { groups.lazy.flatMap(\.stepCounts).max() ?? 0 }

  /// Whether the next step is one of the warm-up.
  public var isWarmingUp: Bool { stepCount < warmupSteps }

  /// Does the first half of the next step, which is one after the warm-up: the first moments of all parameters that
  /// require a gradient follow their gradients; one that is missing counts as zero. ``step()`` then does the rest.
  ///
  /// - Returns: the parameters with their first moments, to be averaged over the ranks in place.
  public func advanceMomentum() -> [(parameter: AnyParameter, momentum: Tensor)] {
    withoutGradients { groups.flatMap { $0.advanceMomentum() } }
  }

  public override func step() {
    let isWarmingUp = isWarmingUp
    withoutGradients {
      for group in groups { group.update(isWarmingUp: isWarmingUp) }
    }
  }

  public override func update(_ group: ParameterGroup) {
    (group as? Group)?.update(isWarmingUp: isWarmingUp)
  }

  public override func state(of position: Int, in group: ParameterGroup) -> ArchiveDictionary {
    (group as? Group)?.state(of: position) ?? [:]
  }

  public override func setState(
    _ reader: inout StateReader, of position: Int, in group: ParameterGroup, dryRun: Bool
  ) {
    (group as? Group)?.setState(&reader, of: position, dryRun: dryRun)
  }
}

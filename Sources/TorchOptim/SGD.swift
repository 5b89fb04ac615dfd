public import Torch
public import TorchNN

/// Stochastic gradient descent, optionally with momentum.
///
/// With gradient g, parameter p, weight decay λ, momentum μ and dampening τ: g ← g + λp; b ← g in a parameter's first
/// step, then b ← μb + (1-τ)g; g ← g + μb with Nesterov's momentum, else g ← b; p ← p - lr·g. This is
/// [torch.optim.SGD](https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html).
public final class SGD: Optimizer {
  private let groups: [Group]

  /// Creates an optimizer of several groups with options of their own.
  public init(groups: [Group]) {
    self.groups = groups
    super.init(groups: groups)
  }

  /// Creates an optimizer of all parameters of a module.
  public convenience init(
    _ module: Module, learningRate: Double = 1e-3, momentum: Double = 0, dampening: Double = 0,
    weightDecay: Double = 0, nesterov: Bool = false, maximize: Bool = false
  ) {
    let named = module.namedParameters()
    self.init(groups: [
      Group(
        named.map(\.parameter), names: named.map(\.name), learningRate: learningRate, momentum: momentum,
        dampening: dampening, weightDecay: weightDecay, nesterov: nesterov, maximize: maximize)
    ])
  }

  /// Creates an optimizer of the parameters given.
  public convenience init(
    _ parameters: [AnyParameter], learningRate: Double = 1e-3, momentum: Double = 0, dampening: Double = 0,
    weightDecay: Double = 0, nesterov: Bool = false, maximize: Bool = false
  ) {
    self.init(groups: [
      Group(
        parameters, learningRate: learningRate, momentum: momentum, dampening: dampening, weightDecay: weightDecay,
        nesterov: nesterov, maximize: maximize)
    ])
  }

  public override func step() {
    withoutGradients {
      for group in groups { group.update() }
    }
  }

  public override func update(_ group: ParameterGroup) {
    (group as? Group)?.update()
  }

  public override func state(of position: Int, in group: ParameterGroup) -> ArchiveDictionary {
    guard let buffer = (group as? Group)?.momentumBuffers[position] else { return [:] }
    return ["momentum_buffer": .tensor(buffer)]
  }

  public override func setState(
    _ reader: inout StateReader, of position: Int, in group: ParameterGroup, dryRun: Bool
  ) {
    guard let group = group as? Group else { return }
    let buffer = reader.tensor(
      "momentum_buffer", like: group.parameters[position].tensor, isOptional: true, dryRun: dryRun)
    if !dryRun { group.momentumBuffers[position] = buffer }
  }
}

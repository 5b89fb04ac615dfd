public import Torch
public import TorchNN

/// Adam: steps scaled by running averages of the gradient and of its square.
///
/// m ← β₁m + (1-β₁)g; v ← β₂v + (1-β₂)g²; p ← p - lr · m/(1-β₁ᵗ) / (√(v/(1-β₂ᵗ)) + ε), with t the number of
/// steps the parameter has taken. Weight decay is added to the gradient (``AdamW`` shrinks the parameter instead).
/// This is [torch.optim.Adam](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html) after Kingma and
/// Ba, [arXiv:1412.6980](https://arxiv.org/abs/1412.6980).
public class Adam: Optimizer {
  private let groups: [Group]

  /// Creates an optimizer of several groups with options of their own.
  public init(groups: [Group]) {
    self.groups = groups
    super.init(groups: groups)
  }

  /// Creates an optimizer of all parameters of a module.
  public convenience init(
    _ module: Module, learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8,
    weightDecay: Double = 0, amsgrad: Bool = false, maximize: Bool = false
  ) {
    let named = module.namedParameters()
    self.init(groups: [
      Group(
        named.map(\.parameter), names: named.map(\.name), learningRate: learningRate, betas: betas, epsilon: epsilon,
        weightDecay: weightDecay, amsgrad: amsgrad, maximize: maximize)
    ])
  }

  /// Creates an optimizer of the parameters given.
  public convenience init(
    _ parameters: [AnyParameter], learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999),
    epsilon: Double = 1e-8, weightDecay: Double = 0, amsgrad: Bool = false, maximize: Bool = false
  ) {
    self.init(groups: [
      Group(
        parameters, learningRate: learningRate, betas: betas, epsilon: epsilon, weightDecay: weightDecay,
        amsgrad: amsgrad, maximize: maximize)
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
    (group as? Group)?.state(of: position) ?? [:]
  }

  public override func setState(
    _ reader: inout StateReader, of position: Int, in group: ParameterGroup, dryRun: Bool
  ) {
    (group as? Group)?.setState(&reader, of: position, dryRun: dryRun)
  }
}

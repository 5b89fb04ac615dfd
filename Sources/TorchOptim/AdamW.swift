public import TorchNN

/// Adam with decoupled weight decay: each step first shrinks the parameter, p ← p - lr·λ·p.
///
/// The decay does not pass through the averages. This is
/// [torch.optim.AdamW](https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html) after Loshchilov and
/// Hutter, [arXiv:1711.05101](https://arxiv.org/abs/1711.05101).
public final class AdamW: Adam {
  /// Creates an optimizer of several groups with options of their own; decay is decoupled in all of them.
  public override init(groups: [Group]) {
    for group in groups { group.decoupledWeightDecay = true }
    super.init(groups: groups)
  }

  /// Creates an optimizer of all parameters of a module.
  public convenience init(
    _ module: Module, learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8,
    weightDecay: Double = 1e-2, amsgrad: Bool = false, maximize: Bool = false
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
    epsilon: Double = 1e-8, weightDecay: Double = 1e-2, amsgrad: Bool = false, maximize: Bool = false
  ) {
    self.init(groups: [
      Group(
        parameters, learningRate: learningRate, betas: betas, epsilon: epsilon, weightDecay: weightDecay,
        amsgrad: amsgrad, maximize: maximize)
    ])
  }
}

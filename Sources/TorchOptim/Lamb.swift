public import Torch
public import TorchNN

/// LAMB: Adam whose step is, for each parameter, in proportion to the size of the parameter.
///
/// m ← β₁m + (1-β₁)g; v ← β₂v + (1-β₂)g²; u = m/(√v + ε) + λp; p ← p - s·r·u with the step size
/// s = lr·√(1-β₂ᵗ)/(1-β₁ᵗ) and the trust ratio r = ‖p‖/‖u‖, limited to `ratios`, 1 where either norm is 0. After You et
/// al., [arXiv:1904.00962](https://arxiv.org/abs/1904.00962), in the form of DeepSpeed's `FusedLamb`.
///
/// The norms are those of whole parameters. Where a rank holds only some elements of them, ``reduceSquaredNorms`` adds
/// up those of all ranks.
public final class Lamb: Optimizer {
  private let groups: [Group]
  /// The trust ratio of each parameter in the last step; 1 for one without a gradient.
  public private(set) var trustRatios: [Double] = []

  /// Replaces the squares of the norms of the elements held here by those of whole parameters: shape
  /// [2, parameters], parameters first and their updates second. Called once a step when set.
  public var reduceSquaredNorms: ((Tensor) -> Void)?

  /// Creates an optimizer of several groups with options of their own.
  public init(groups: [Group]) {
    self.groups = groups
    super.init(groups: groups)
  }

  /// Creates an optimizer of all parameters of a module.
  public convenience init(
    _ module: Module, learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8,
    weightDecay: Double = 0, biasCorrection: Bool = true, ratios: ClosedRange<Double> = 0.01...10
  ) {
    let named = module.namedParameters()
    self.init(groups: [
      Group(
        named.map(\.parameter), names: named.map(\.name), learningRate: learningRate, betas: betas, epsilon: epsilon,
        weightDecay: weightDecay, biasCorrection: biasCorrection, ratios: ratios)
    ])
  }

  /// Creates an optimizer of the parameters given.
  public convenience init(
    _ parameters: [AnyParameter], learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999),
    epsilon: Double = 1e-8, weightDecay: Double = 0, biasCorrection: Bool = true,
    ratios: ClosedRange<Double> = 0.01...10
  ) {
    self.init(groups: [
      Group(
        parameters, learningRate: learningRate, betas: betas, epsilon: epsilon, weightDecay: weightDecay,
        biasCorrection: biasCorrection, ratios: ratios)
    ])
  }

  public override func step() {
    withoutGradients { update(groups) }
  }

  public override func update(_ group: ParameterGroup) {
    if let group = group as? Group { update([group]) }
  }

  private func update(_ groups: [Group]) {
    let updates = groups.map { $0.makeUpdates() }
    let count = groups.reduce(0) { $0 + $1.parameters.count }
    guard reduceSquaredNorms != nil || updates.contains(where: { $0.contains { $0 != nil } }) else { return }
    let squares = Tensor.zeros([2, count], dtype: .float64)
    var place = 0
    for (group, updates) in zip(groups, updates) {
      for (parameter, update) in zip(group.parameters, updates) {
        if let update {
          Self.store(squareNorm(of: parameter.tensor), in: squares, 0, place)
          Self.store(squareNorm(of: update), in: squares, 1, place)
        }
        place += 1
      }
    }
    reduceSquaredNorms?(squares)
    guard let norms = try? squares.array(as: Double.self) else { return }
    trustRatios = []
    for (group, updates) in zip(groups, updates) {
      for (position, update) in updates.enumerated() {
        let index = trustRatios.count
        let ratio = group.ratio(parameter: norms[index].squareRoot(), update: norms[count + index].squareRoot())
        trustRatios.append(ratio)
        if let update { group.apply(update, at: position, ratio: ratio) }
      }
    }
  }

  private func squareNorm(of tensor: Tensor) -> Tensor { Aten.square(tensor.detached().norm()) }

  private static func store(_ value: Tensor, in squares: Tensor, _ row: Int, _ column: Int) {
    Aten.copy_(squares.selected(dim: 0, index: row).selected(dim: 0, index: column), src: value)
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

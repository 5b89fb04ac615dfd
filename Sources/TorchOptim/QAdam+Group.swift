import Glibc
internal import Torch
public import TorchNN

extension QAdam {
  /// Parameters that ``QAdam`` updates with the same options.
  public final class Group: MomentGroup {
    /// The number of steps each parameter has taken.
    private(set) var stepCounts: [Int]
    private var momenta: [Tensor?]
    private var squares: [Tensor?]
    /// The positions whose momentum has followed the gradient of the step to come.
    private var advanced: [Int]?

    /// Creates a group.
    public init(
      _ parameters: [AnyParameter], names: [String] = [], learningRate: Double = 1e-3,
      betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8, weightDecay: Double = 0
    ) {
      stepCounts = Array(repeating: 0, count: parameters.count)
      momenta = Array(repeating: nil, count: parameters.count)
      squares = Array(repeating: nil, count: parameters.count)
      super.init(
        parameters, names: names, learningRate: learningRate, betas: betas, epsilon: epsilon, weightDecay: weightDecay)
    }

    public override func problems() -> [String] {
      var problems = super.problems()
      if maximize { problems.append("QAdam does not maximize; negate the loss") }
      return problems
    }

    func state(of position: Int) -> ArchiveDictionary {
      guard let momentum = momenta[position], let square = squares[position] else { return [:] }
      return ["step": .int(stepCounts[position]), "exp_avg": .tensor(momentum), "exp_avg_sq": .tensor(square)]
    }

    func setState(_ reader: inout StateReader, of position: Int, dryRun: Bool) {
      if reader.entries.isEmpty {
        if !dryRun { (stepCounts[position], momenta[position], squares[position]) = (0, nil, nil) }
        return
      }
      let parameter = parameters[position].tensor
      let momentum = reader.tensor("exp_avg", like: parameter, isOptional: false, dryRun: dryRun)
      let square = reader.tensor("exp_avg_sq", like: parameter, isOptional: false, dryRun: dryRun)
      var count = 0
      reader.read("step", into: &count)
      guard !dryRun else { return }
      (stepCounts[position], momenta[position], squares[position]) = (count, momentum, square)
      advanced = nil
    }

    func advanceMomentum() -> [(parameter: AnyParameter, momentum: Tensor)] {
      let positions = parameters.indices.filter { parameters[$0].requiresGradient }
      for position in positions { follow(gradient(at: position), at: position, squared: false) }
      advanced = positions
      return positions.compactMap { position in momenta[position].map { (parameters[position], $0) } }
    }

    func update(isWarmingUp: Bool) {
      let positions = advanced ?? parameters.indices.filter { parameters[$0].tensor.hasGradient }
      if advanced == nil {
        for position in positions { follow(gradient(at: position), at: position, squared: isWarmingUp) }
      }
      advanced = nil
      for position in positions { apply(at: position) }
    }

    /// The gradient with weight decay; nil for none.
    private func gradient(at position: Int) -> Tensor? {
      let tensor = parameters[position].tensor
      guard let gradient = tensor.gradient else { return nil }
      return weightDecay == 0 ? gradient : Aten.add(gradient, other: tensor, alpha: Scalar(weightDecay))
    }

    private func follow(_ gradient: Tensor?, at position: Int, squared: Bool) {
      let momentum = momenta[position] ?? Aten.zeros_like(Aten.detach(parameters[position].tensor))
      let square = squares[position] ?? Aten.zeros_like(Aten.detach(parameters[position].tensor))
      (momenta[position], squares[position]) = (momentum, square)
      Aten.mul_(momentum, other: Scalar(betas.0))
      if let gradient { Aten.add_(momentum, other: gradient, alpha: Scalar(1 - betas.0)) }
      guard squared, let gradient else { return }
      Aten.mul_(square, other: Scalar(betas.1))
      Aten.addcmul_(square, tensor1: gradient, tensor2: gradient, value: Scalar(1 - betas.1))
    }

    private func apply(at position: Int) {
      guard let momentum = momenta[position], let square = squares[position] else { return }
      stepCounts[position] += 1
      let count = Double(stepCounts[position])
      let denominator = Aten.div(Aten.sqrt(square), other: Scalar((1 - pow(betas.1, count)).squareRoot()))
      Aten.add_(denominator, other: Scalar(epsilon))
      Aten.addcdiv_(
        parameters[position].tensor, tensor1: momentum, tensor2: denominator,
        value: Scalar(-learningRate / (1 - pow(betas.0, count))))
    }
  }
}

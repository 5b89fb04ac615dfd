public import Torch
public import TorchDistributed
public import TorchNN
public import TorchOptim

/// The base of optimizers that send momenta or gradients with one bit a number: ``OneBitAdam``, ``ZeroOneAdam``,
/// ``OneBitLamb``.
///
/// Every rank holds all parameters and all state (ZeRO stage 0), and every parameter takes part in every compressed step:
/// one without a gradient there counts as having a gradient of zeros. Numbers whose average of squares is 0, because their
/// gradient was 0 all through the warm-up, are moved by weight decay alone: one bit cannot say 0. (DeepSpeed wants a mask.)
///
/// ``step()`` communicates. What goes wrong there is in ``failure``, which the strategy throws after the step.
public class CompressedOptimizer: Optimizer {
  /// Parameters that are updated with the same options.
  public final class Group: MomentGroup {
    public init(
      _ parameters: [AnyParameter], names: [String] = [], learningRate: Double = 1e-3,
      betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8, weightDecay: Double = 0
    ) {
      super.init(
        parameters, names: names, learningRate: learningRate, betas: betas, epsilon: epsilon, weightDecay: weightDecay)
    }

    public override func problems() -> [String] {
      var problems = super.problems()
      if epsilon == 0 { problems.append("epsilon is \(epsilon); give a number above 0") }
      if maximize { problems.append("maximize is true; compressed optimizers descend only") }
      return problems
    }
  }

  /// A parameter and its state.
  struct Slot {
    let group: Group
    let parameter: AnyParameter
    var average: Tensor
    var squareAverage: Tensor
    /// What a subclass keeps besides.
    var others: [String: Tensor] = [:]

    var tensor: Tensor { parameter.tensor }
    /// The gradient; zeros when there is none.
    var gradient: Tensor { tensor.gradient ?? Aten.zeros_like(tensor) }
    /// √v + ε.
    var denominator: Tensor { Aten.add(Aten.sqrt(squareAverage), other: Scalar(group.epsilon)) }

    /// Moves the average towards `gradient`.
    func gather(_ gradient: Tensor) { Aten.lerp_(average, end: gradient, weight: Scalar(1 - group.betas.0)) }

    /// Moves the average of squares towards that of `gradient`.
    func gatherSquare(_ gradient: Tensor) {
      Aten.mul_(squareAverage, other: Scalar(group.betas.1))
      Aten.addcmul_(squareAverage, tensor1: gradient, tensor2: gradient, value: Scalar(1 - group.betas.1))
    }

    /// `tensor` where the average of squares is above 0, else 0.
    func masked(_ tensor: Tensor) -> Tensor { tensor * (squareAverage .> 0).to(tensor.dtype) }

    /// m/(√v + ε) + λp.
    func update() -> Tensor {
      let update = Aten.div(average, other: denominator)
      if group.weightDecay != 0 { Aten.add_(update, other: tensor, alpha: Scalar(group.weightDecay)) }
      return update
    }
  }

  /// The ranks that it communicates with; nil when it is alone.
  public let processGroup: ProcessGroup?
  /// What went wrong in a step; set back by the strategy.
  final var failure: (any Error)?
  /// The steps made so far.
  public internal(set) final var stepCount = 0
  final var slots: [Slot] = []
  private var reducer: CompressedAllReduce?
  private let groups: [Group]

  static let errorsKey = "compression_errors"

  init(groups: [Group], over processGroup: ProcessGroup?) {
    self.groups = groups
    self.processGroup = processGroup
    super.init(groups: groups)
  }

  /// Whether the gradients of the next step have to be means over the ranks; otherwise they stay those of each rank.
  public var needsReducedGradients: Bool { true }

  /// Whether anything is compressed.
  final var isAlone: Bool { (processGroup?.size ?? 1) == 1 }

  public final override func step() {
    guard failure == nil else { return }
    withoutGradients {
      do {
        makeSlots()
        stepCount += 1
        try advance()
      } catch {
        failure = error
      }
    }
  }

  /// Makes step ``stepCount``.
  func advance() throws {
    preconditionFailure("\(type(of: self)) must override advance()")
  }

  /// What is kept for each parameter besides the averages, by name.
  var stateNames: [String] { [] }

  private func makeSlots() {
    guard slots.isEmpty else { return }
    slots = groups.flatMap { group in
      group.parameters.map { parameter in
        let tensor = parameter.tensor.detached()
        let others = stateNames.map { ($0, Aten.zeros_like(tensor)) }
        return Slot(
          group: group, parameter: parameter, average: Aten.zeros_like(tensor), squareAverage: Aten.zeros_like(tensor),
          others: Dictionary(uniqueKeysWithValues: others))
      }
    }
  }

  /// The means of tensors over the ranks, compressed; what was given when there is one rank.
  ///
  /// - Parameter asOne: the tensors have a common scale.
  final func compressedMean(_ tensors: [Tensor], asOne: Bool = false) throws -> [Tensor] {
    guard let processGroup, !isAlone else { return tensors }
    let reducer =
      self.reducer
      ?? CompressedAllReduce(
        over: processGroup, counts: asOne ? [tensors.reduce(0) { $0 + $1.count }] : tensors.map(\.count),
        dtype: tensors[0].dtype, device: tensors[0].device)
    if self.reducer == nil {
      self.reducer = reducer
      if let errors = groups[0].annotations[Self.errorsKey]?.tensorValue { reducer.restoreErrors(errors) }
      groups[0].annotations[Self.errorsKey] = nil
    }
    guard asOne else { return try reducer.mean(tensors) }
    let flat = Tensor.cat(tensors.map { $0.reshaped([-1]) })
    let mean = try reducer.mean([flat])[0]
    var start = 0
    return tensors.map { tensor in
      defer { start += tensor.count }
      return mean.narrowed(dim: 0, start: start, length: tensor.count).reshaped(tensor.shape)
    }
  }

  /// Forgets what compression has lost so far.
  final func clearErrors() {
    reducer?.clearErrors()
    groups[0].annotations[Self.errorsKey] = nil
  }

  /// Puts what compression has lost on all ranks into the state, so that a checkpoint of rank 0 has it. Called on all
  /// ranks before ``stateDictionary()``.
  final func collectErrors() throws {
    guard let reducer else { return }
    groups[0].annotations[Self.errorsKey] = .tensor(try withoutGradients { try reducer.gatheredErrors() })
  }

  public override func state(of position: Int, in group: ParameterGroup) -> ArchiveDictionary {
    guard let slot = slot(of: position, in: group) else { return [:] }
    var state: ArchiveDictionary = [
      "step": .int(stepCount), "exp_avg": .tensor(slots[slot].average),
      "exp_avg_sq": .tensor(slots[slot].squareAverage),
    ]
    for name in stateNames { state[name] = slots[slot].others[name].map { .tensor($0) } }
    for (name, number) in numbers(of: slot) { state[name] = .double(number) }
    return state
  }

  public override func setState(
    _ reader: inout StateReader, of position: Int, in group: ParameterGroup, dryRun: Bool
  ) {
    if !dryRun { makeSlots() }
    guard let group = group as? Group else { return }
    let tensor = group.parameters[position].tensor
    if reader.entries.isEmpty {
      guard !dryRun, let slot = slot(of: position, in: group) else { return }
      stepCount = 0
      slots[slot].average.zero()
      slots[slot].squareAverage.zero()
      return
    }
    let count = reader.stepCount()
    let average = reader.tensor("exp_avg", like: tensor, isOptional: false, dryRun: dryRun)
    let squareAverage = reader.tensor("exp_avg_sq", like: tensor, isOptional: false, dryRun: dryRun)
    let others = stateNames.map { ($0, reader.tensor($0, like: tensor, isOptional: true, dryRun: dryRun)) }
    guard !dryRun, let slot = slot(of: position, in: group), let average, let squareAverage else { return }
    stepCount = count
    slots[slot].average = average
    slots[slot].squareAverage = squareAverage
    for (name, saved) in others { if let saved { slots[slot].others[name] = saved } }
    setNumbers(reader.entries, of: slot)
    reducer = nil
  }

  /// Numbers that are kept for a parameter, or for all of them in each.
  func numbers(of slot: Int) -> [(String, Double)] { [] }

  /// Takes over what ``numbers(of:)`` returned.
  func setNumbers(_ entries: ArchiveDictionary, of slot: Int) {}

  private func slot(of position: Int, in group: ParameterGroup) -> Int? {
    guard !slots.isEmpty, let index = groups.firstIndex(where: { $0 === group }) else { return nil }
    return groups[..<index].reduce(position) { $0 + $1.parameters.count }
  }
}

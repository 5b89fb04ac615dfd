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
  /// What compresses, once something was compressed or what was lost was read.
  final var reducer: CompressedAllReduce?
  final let groups: [Group]

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

  /// Whether all tensors are compressed with a common scale.
  var compressesAsOne: Bool { false }

  final func makeSlots() {
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

  /// The means of tensors over the ranks, one for each parameter, compressed; what was given when there is one rank.
  final func compressedMean(_ tensors: [Tensor]) throws -> [Tensor] {
    guard let reducer = makeReducer() else { return tensors }
    guard compressesAsOne else { return try reducer.mean(tensors) }
    let flat = Tensor.cat(tensors.map { $0.reshaped([-1]) })
    let mean = try reducer.mean([flat])[0]
    var start = 0
    return tensors.map { tensor in
      defer { start += tensor.count }
      return mean.narrowed(dim: 0, start: start, length: tensor.count).reshaped(tensor.shape)
    }
  }

  /// What compresses; nil when there is one rank.
  final func makeReducer() -> CompressedAllReduce? {
    guard let processGroup, !isAlone, let first = slots.first?.average else { return nil }
    if let reducer { return reducer }
    let counts = slots.map(\.average.count)
    let made = CompressedAllReduce(
      over: processGroup, counts: compressesAsOne ? [counts.reduce(0, +)] : counts, dtype: first.dtype,
      device: first.device)
    reducer = made
    return made
  }

  /// Numbers that are kept for a parameter, or for all of them in each.
  func numbers(of slot: Int) -> [(String, Double)] { [] }

  /// Takes over what ``numbers(of:)`` returned.
  func setNumbers(_ entries: ArchiveDictionary, of slot: Int) {}

  /// What is other on each rank at this moment, by name: tensors with an element for each of the parameter's.
  func ownState(of slot: Int) -> [(name: String, values: Tensor)] { [] }

  /// Takes over what ``ownState(of:)`` returned, on this rank or on those of a run of another size.
  func setOwnState(_ state: [String: RankState.Saved], of slot: Int) {}

  /// Whether the ranks have different weights at this moment.
  var isApart: Bool { false }

  /// The names of ``ownState(of:)`` that a run of another size needs.
  var namesForOthers: Set<String> { [] }

  public final override func state(of position: Int, in group: ParameterGroup) -> ArchiveDictionary {
    savedState(of: position, in: group)
  }

  public final override func setState(
    _ reader: inout StateReader, of position: Int, in group: ParameterGroup, dryRun: Bool
  ) {
    restoreState(&reader, of: position, in: group, dryRun: dryRun)
  }
}

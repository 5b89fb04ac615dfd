public import Torch
public import TorchDistributed
internal import TorchNN
public import TorchOptim

/// An optimizer whose work and state are divided among the ranks: each updates some of the parameters and sends them to
/// the others.
///
/// It wraps any optimizer and gives the same parameters as that, as long as the gradients are equal on all ranks, as under
/// `ddp`. Parameters are assigned whole, the largest first, each to the rank that has the fewest numbers so far.
///
/// ```swift
/// override func configureOptimizers() throws -> OptimizerPlan {
///   OptimizerPlan(ZeroRedundancyOptimizer(AdamW(self, learningRate: 1e-3)))
/// }
/// ```
///
/// A checkpoint holds the state of all parameters, as that of the wrapped optimizer, and loads on any number of ranks, and
/// without this optimizer. One that is saved after a signal or an error has only the state of rank 0: the rest starts anew.
///
/// See "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models", https://arxiv.org/abs/1910.02054, stage 1,
/// and PyTorch's `ZeroRedundancyOptimizer`.
public final class ZeroRedundancyOptimizer: Optimizer {
  /// The optimizer of this rank's parameters; it knows all of them.
  public let base: Optimizer
  /// Whether the parameters of each rank lie one after the other in memory, so that they are sent without a copy.
  public let parametersAsBucketView: Bool
  /// The processes; nil before the strategy set them up, when every parameter is updated here.
  public private(set) var group: ProcessGroup?
  /// The rank that updates each parameter, in the order of ``Optimizer/parameters``.
  public private(set) var owners: [Int] = []
  private var messages: [PartitionMessage] = []
  /// What other ranks told of their state, by the number of the parameter.
  private var others: [Int: ArchiveDictionary] = [:]

  /// - Parameters:
  ///   - base: an optimizer of all parameters, with any groups; it must not be stepped itself.
  ///   - group: the processes; left out, those of the strategy that trains.
  ///   - parametersAsBucketView: let the parameters of each rank lie one after the other in memory.
  /// - Throws: `DistributedError` when the ranks optimize different parameters.
  public init(_ base: Optimizer, over group: ProcessGroup? = nil, parametersAsBucketView: Bool = false) throws {
    self.base = base
    self.parametersAsBucketView = parametersAsBucketView
    super.init(groups: base.parameterGroups)
    if let group { try join(group) }
  }

  /// Divides the parameters among the ranks. Called on all ranks; a group that was given before stays.
  func join(_ group: ProcessGroup) throws {
    guard self.group == nil else { return }
    let parameters = parameters
    try parameters.enumerated()
      .map { ReducedParameter(name: "\($0)", shape: $1.tensor.shape, dtype: $1.tensor.dtype) }
      .requireEqual(in: group)
    self.group = group
    owners = Self.partition(parameterGroups.map { $0.parameters.map(\.tensor.count) }, among: group.size)
    messages = (0..<group.size).flatMap { rank in
      PartitionMessage.make(
        zip(parameters, owners).filter { $1 == rank }.map { $0.0 }, from: rank, asViews: parametersAsBucketView)
    }
  }

  /// Assigns the parameters of each group, the largest first, to the rank that has the fewest numbers so far.
  static func partition(_ counts: [[Int]], among size: Int) -> [Int] {
    var loads = Array(repeating: 0, count: size)
    return counts.flatMap { counts in
      var owners = Array(repeating: 0, count: counts.count)
      for index in counts.indices.sorted(by: { counts[$0] != counts[$1] ? counts[$0] > counts[$1] : $0 < $1 }) {
        let rank = loads.indices.min { loads[$0] != loads[$1] ? loads[$0] < loads[$1] : $0 < $1 } ?? 0
        owners[index] = rank
        loads[rank] += counts[index]
      }
      return owners
    }
  }

  private func isOwn(_ number: Int) -> Bool { group.map { owners[number] == $0.rank } ?? true }

  public override var supportsGradientScaling: Bool { base.supportsGradientScaling }

  public override func step() {
    guard let group, group.size > 1 else { return base.step() }
    // The wrapped optimizer leaves alone what has no gradient, and keeps no state for it.
    let foreign = parameters.enumerated().filter { !isOwn($0.offset) }.map(\.element)
    let gradients = foreign.map(\.gradient)
    for parameter in foreign { parameter.gradient = nil }
    base.step()
    for (parameter, gradient) in zip(foreign, gradients) { parameter.gradient = gradient }
    do {
      try withoutGradients {
        let works = try messages.map { try $0.start(in: group) }
        for (message, work) in zip(messages, works) {
          try work.wait()
          message.finish(in: group)
        }
      }
    } catch {
      _ = Tensor.failed(operation: "ZeroRedundancyOptimizer.step", message: "\(error)")
    }
  }

  public override func state(of position: Int, in group: ParameterGroup) -> ArchiveDictionary {
    let number = number(of: position, in: group)
    return isOwn(number) ? base.state(of: position, in: group) : others[number] ?? [:]
  }

  public override func setState(
    _ reader: inout StateReader, of position: Int, in group: ParameterGroup, dryRun: Bool
  ) {
    if dryRun || isOwn(number(of: position, in: group)) {
      base.setState(&reader, of: position, in: group, dryRun: dryRun)
    }
  }

  private func number(of position: Int, in group: ParameterGroup) -> Int {
    parameterGroups.prefix { $0 !== group }.reduce(0) { $0 + $1.parameters.count } + position
  }

  /// Brings the state of all parameters to one rank, where `stateDictionary()` has it until ``forgetOthers()``. Called on
  /// all ranks.
  ///
  /// See PyTorch's `consolidate_state_dict`.
  public func consolidate(on rank: Int = 0) throws {
    guard let group, group.size > 1 else { return }
    others = [:]
    for source in 0..<group.size where source != rank {
      if group.rank == source {
        try StateMessage.send(ownStates(), to: rank, in: group)
      } else if group.rank == rank {
        others.merge(try StateMessage.receive(from: source, in: group)) { $1 }
      }
    }
  }

  /// Lets go of what ``consolidate(on:)`` brought.
  public func forgetOthers() { others = [:] }

  private func ownStates() -> [Int: ArchiveDictionary] {
    var states: [Int: ArchiveDictionary] = [:]
    for group in parameterGroups {
      for position in group.parameters.indices {
        let number = number(of: position, in: group)
        if isOwn(number) { states[number] = base.state(of: position, in: group) }
      }
    }
    return states
  }
}

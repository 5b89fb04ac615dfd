import Stratagem

extension Probe {
  /// Horovod with the options of the probe; by its name when there are none.
  func horovod() -> any StrategyConvertible {
    let names = [
      "operation", "compression", "fusion", "predivide", "scaling", "hierarchical", "notice", "timeout", "start",
      "sets",
    ]
    guard names.contains(where: options.has) else { return "horovod" }
    return HorovodStrategy(
      operation: options["operation"].flatMap { HorovodOperation(rawValue: $0) } ?? .average,
      compression: options["compression"].flatMap { GradientCompression(rawValue: $0) } ?? GradientCompression.none,
      fusionThreshold: options.int("fusion"), gradientPredivideFactor: options.double("predivide", 1),
      learningRateScaling: options["scaling"].flatMap { LearningRateScaling(rawValue: $0) } ?? LearningRateScaling.none,
      hierarchical: options.has("hierarchical"), processSets: options.has("sets") ? [[0, 2], [1]] : [],
      timeout: options.double("timeout"), stallNotice: options.double("notice"),
      startMethod: StartMethod(rawValue: options["start"] ?? "relaunch") ?? .relaunch)
  }
}

/// Uses the strategy's own words at the start of a fit.
final class HorovodSpeaker: Callback {
  override func onFitStart(_ trainer: Trainer) throws {
    guard let horovod = trainer.strategy as? HorovodStrategy else { return }
    let own = Tensor([Double(trainer.rank + 1)])
    let sum = try horovod.allreduce(own, name: "own", operation: .sum).scalar()
    let sets = try horovod.processSets.map { try $0.allreduce(own, name: "set", operation: .sum).scalar() }
    let members = horovod.processSets.map { $0.rank.map { "\($0)" } ?? "-" }
    print("says \(trainer.rank): \(sum) \(sets) \(members.joined(separator: " "))")
    if trainer.rank > 0, let module = trainer.module, let optimizer = horovod.optimizer {
      for parameter in module.parameters() { withoutGradients { parameter.tensor.detached().zero() } }
      // Without a momentum, and with another rate.
      try optimizer.load(SGD(module, learningRate: 7, momentum: 0.5).stateDictionary())
    }
    if let module = trainer.module, let optimizer = horovod.optimizer {
      try horovod.broadcastParameters(module.namedParameters().map { ($0.name, $0.parameter) })
      try horovod.broadcastOptimizerState(optimizer)
      print("rate of \(trainer.rank): \(optimizer.parameterGroups[0].learningRate)")
    }
    if let set = horovod.processSets.first { try step(in: set, trainer.rank) }
  }
  /// Steps from 0 by the gradient (rank + 1)², reduced over some of the ranks.
  private func step(in set: ProcessSet, _ rank: Int) throws {
    let weight = Parameter(wrappedValue: Tensor([0.0]))
    let optimizer = try DistributedOptimizer(
      SGD([weight], learningRate: 1), named: [(name: "weight", parameter: weight)], in: set)
    weight.gradient = Tensor([Double((rank + 1) * (rank + 1))])
    try optimizer.step()
    print("moved \(rank): \(try weight.tensor.detached().scalar())")
  }
}

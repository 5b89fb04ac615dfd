import Stratagem

/// An optimizer that a user of the library wrote: p ← p - lr · m / (|m| + 0.01) with a running average m of gradients.
final class OwnOptimizer: Optimizer {
  private var averages: [ObjectIdentifier: Tensor] = [:]

  init(_ module: Module, learningRate: Double = 0.01) {
    let named = module.namedParameters()
    super.init(groups: [
      ParameterGroup(named.map(\.parameter), names: named.map(\.name), learningRate: learningRate)
    ])
  }

  override func update(_ group: ParameterGroup) {
    for parameter in group.parameters {
      guard let gradient = parameter.gradient else { continue }
      let old = averages[ObjectIdentifier(parameter)] ?? .zeros(like: gradient)
      let average = old * 0.9 + gradient * 0.1
      averages[ObjectIdentifier(parameter)] = average
      parameter.tensor.add(average / (average.abs() + 0.01), scaledBy: Scalar(-group.learningRate))
    }
  }

  override func state(of position: Int, in group: ParameterGroup) -> ArchiveDictionary {
    averages[ObjectIdentifier(group.parameters[position])].map { ["average": .tensor($0)] } ?? [:]
  }

  override func setState(
    _ reader: inout StateReader, of position: Int, in group: ParameterGroup, dryRun: Bool
  ) {
    guard !dryRun, let average = reader.entries["average"]?.tensorValue else { return }
    averages[ObjectIdentifier(group.parameters[position])] = average.clone()
  }
}

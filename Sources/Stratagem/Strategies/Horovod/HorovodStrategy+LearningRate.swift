internal import TorchOptim

extension HorovodStrategy {
  /// How many ranks a gradient that is stepped with comes from: with Adasum the step adapts by itself.
  private var averagedRanks: Int {
    guard reduction.operation == .adasum else { return worldSize }
    return isHierarchical ? plan?.processesPerNode ?? 1 : 1
  }

  /// Applies ``learningRateScaling``, and says on rank 0 what was done.
  func scaleLearningRates() {
    let before = optimizers.map { $0.parameterGroups.map(\.learningRate) }
    let factor = learningRateScaling == .linear ? averagedRanks : 1
    if factor > 1 {
      for optimizer in optimizers { optimizer.scaleLearningRates(by: Double(factor)) }
      for entry in schedules { entry.schedule.scaleLearningRates(by: Double(factor)) }
    }
    guard worldSize > 1 else { return }
    func list(_ rates: [[Double]]) -> String {
      var seen: [Double] = []
      for rate in rates.joined() where !seen.contains(rate) { seen.append(rate) }
      return seen.map { "\($0)" }.joined(separator: ", ")
    }
    let rule =
      switch learningRateScaling {
      case .linear where factor > 1:
        "\(list(optimizers.map { $0.parameterGroups.map(\.learningRate) })): \(list(before)) times \(factor) ranks"
      case .linear: "\(list(before)), not scaled because Adasum adapts the step itself"
      case .none: "\(list(before)), not scaled with the \(worldSize) ranks"
      }
    let batches = plan?.batchesPerStep ?? worldSize
    module?.trainer?.announce(
      "horovod: \(reduction.operation.rawValue) of \(worldSize) ranks, \(batches) batches a step; learning rate \(rule)"
    )
  }
}

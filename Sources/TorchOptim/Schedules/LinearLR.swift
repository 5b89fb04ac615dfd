public import Torch

/// Moves the factor of the learning rate in a straight line from `startFactor` to `endFactor`; a warm-up.
public final class LinearLR: LearningRateSchedule {
  /// The factor at step 0, above 0 and at most 1.
  public private(set) var startFactor: Double
  /// The factor from step `totalIterations` on, in 0...1.
  public private(set) var endFactor: Double
  /// The number of steps from one factor to the other; at least 1.
  public private(set) var totalIterations: Int

  /// Creates the schedule and sets the learning rates of step 0.
  public init(
    _ optimizer: Optimizer, startFactor: Double = 1.0 / 3, endFactor: Double = 1, totalIterations: Int = 5
  ) {
    self.startFactor = startFactor
    self.endFactor = endFactor
    self.totalIterations = totalIterations
    super.init(optimizer)
    Self.require(
      startFactor > 0 && startFactor <= 1, "startFactor is \(startFactor); give a number above 0 and at most 1")
    Self.require((0...1).contains(endFactor), "endFactor is \(endFactor); give a number in 0...1")
    Self.require(totalIterations > 0, "totalIterations is \(totalIterations); give a number of steps of at least 1")
  }

  public override func learningRates() -> [Double] {
    if lastEpoch == 0 { return currentLearningRates.map { $0 * startFactor } }
    if isInitial || lastEpoch > totalIterations { return currentLearningRates }
    let slope = endFactor - startFactor
    let previous = Double(totalIterations) * startFactor + Double(lastEpoch - 1) * slope
    return currentLearningRates.map { $0 * (1 + slope / previous) }
  }

  public override func closedFormLearningRates() -> [Double]? {
    let slope = endFactor - startFactor
    let passed = Double(min(totalIterations, lastEpoch))
    return baseLearningRates.map { $0 * (startFactor + slope * passed / Double(totalIterations)) }
  }

  public override func store(into state: inout ArchiveDictionary) {
    state["start_factor"] = .double(startFactor)
    state["end_factor"] = .double(endFactor)
    state["total_iters"] = .int(totalIterations)
  }

  public override func restore(from state: inout StateReader) {
    state.read("start_factor", into: &startFactor)
    state.read("end_factor", into: &endFactor)
    state.read("total_iters", into: &totalIterations)
  }
}

public import Torch

/// Multiplies the learning rate by `factor` until step `totalIterations`, then takes the factor away.
public final class ConstantLR: LearningRateSchedule {
  /// The factor, above 0 and at most 1.
  public private(set) var factor: Double
  /// The step from which on the learning rate is the base one.
  public private(set) var totalIterations: Int

  /// Creates the schedule and sets the learning rates of step 0.
  public init(_ optimizer: Optimizer, factor: Double = 1.0 / 3, totalIterations: Int = 5) {
    self.factor = factor
    self.totalIterations = totalIterations
    super.init(optimizer)
    Self.require(factor > 0 && factor <= 1, "factor is \(factor); give a number above 0 and at most 1")
  }

  public override func learningRates() -> [Double] {
    if lastEpoch == 0 { return currentLearningRates.map { $0 * factor } }
    guard lastEpoch == totalIterations else { return currentLearningRates }
    return currentLearningRates.map { $0 * (1 / factor) }
  }

  public override func closedFormLearningRates() -> [Double]? {
    let remaining = lastEpoch >= totalIterations ? 1 - factor : 0
    return baseLearningRates.map { $0 * (factor + remaining) }
  }

  public override func store(into state: inout ArchiveDictionary) {
    state["factor"] = .double(factor)
    state["total_iters"] = .int(totalIterations)
  }

  public override func restore(from state: inout StateReader) {
    state.read("factor", into: &factor)
    state.read("total_iters", into: &totalIterations)
  }
}

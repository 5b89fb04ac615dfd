public import Torch

/// Multiplies the learning rate by `gamma` every `stepSize` steps.
public final class StepLR: LearningRateSchedule {
  /// The number of steps between changes; at least 1.
  public private(set) var stepSize: Int
  /// The factor.
  public private(set) var gamma: Double

  /// Creates the schedule and sets the learning rates of step 0.
  public init(_ optimizer: Optimizer, stepSize: Int, gamma: Double = 0.1) {
    self.stepSize = max(1, stepSize)
    self.gamma = gamma
    super.init(optimizer)
    Self.require(stepSize > 0, "stepSize is \(stepSize); give a number of steps that is at least 1")
  }

  public override func learningRates() -> [Double] {
    guard lastEpoch != 0, lastEpoch % stepSize == 0 else { return currentLearningRates }
    return currentLearningRates.map { $0 * gamma }
  }

  public override func closedFormLearningRates() -> [Double]? {
    baseLearningRates.map { $0 * power(gamma, lastEpoch / stepSize) }
  }

  public override func store(into state: inout ArchiveDictionary) {
    state["step_size"] = .int(stepSize)
    state["gamma"] = .double(gamma)
  }

  public override func restore(from state: inout StateReader) {
    state.read("step_size", into: &stepSize)
    state.read("gamma", into: &gamma)
    if stepSize < 1 { state.report("'step_size' is \(stepSize), it should be at least 1") }
  }
}

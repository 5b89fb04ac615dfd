public import Torch

/// Multiplies the learning rate by `gamma` at every step.
public final class ExponentialLR: LearningRateSchedule {
  /// The factor.
  public private(set) var gamma: Double

  /// Creates the schedule; the learning rates of step 0 are the base ones.
  public init(_ optimizer: Optimizer, gamma: Double) {
    self.gamma = gamma
    super.init(optimizer)
  }

  public override func learningRates() -> [Double] {
    isInitial ? currentLearningRates : currentLearningRates.map { $0 * gamma }
  }

  public override func closedFormLearningRates() -> [Double]? {
    baseLearningRates.map { $0 * power(gamma, lastEpoch) }
  }

  public override func store(into state: inout ArchiveDictionary) {
    state["gamma"] = .double(gamma)
  }

  public override func restore(from state: inout StateReader) {
    state.read("gamma", into: &gamma)
  }
}

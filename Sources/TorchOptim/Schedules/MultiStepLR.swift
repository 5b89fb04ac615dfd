public import Torch

/// Multiplies the learning rate by `gamma` at each milestone; a milestone named twice counts twice.
public final class MultiStepLR: LearningRateSchedule {
  /// The steps at which the learning rate changes, ascending.
  public private(set) var milestones: [Int]
  /// The factor.
  public private(set) var gamma: Double

  /// Creates the schedule and sets the learning rates of step 0.
  public init(_ optimizer: Optimizer, milestones: [Int], gamma: Double = 0.1) {
    self.milestones = milestones.sorted()
    self.gamma = gamma
    super.init(optimizer)
  }

  public override func learningRates() -> [Double] {
    let times = milestones.count { $0 == lastEpoch }
    guard times > 0 else { return currentLearningRates }
    return currentLearningRates.map { $0 * power(gamma, times) }
  }

  public override func closedFormLearningRates() -> [Double]? {
    let passed = milestones.count { $0 <= lastEpoch }
    return baseLearningRates.map { $0 * power(gamma, passed) }
  }

  /// PyTorch keeps the milestones as a dictionary from milestone to how often it was named.
  public override func store(into state: inout ArchiveDictionary) {
    var counts = ArchiveDictionary()
    for milestone in milestones {
      counts[milestone] = .int((counts[milestone]?.intValue ?? 0) + 1)
    }
    state["milestones"] = .dictionary(counts)
    state["gamma"] = .double(gamma)
  }

  public override func restore(from state: inout StateReader) {
    if let counts = state.entries["milestones"]?.dictionaryValue {
      var saved: [Int] = []
      for (key, value) in counts {
        guard case .int(let milestone) = key, let times = value.intValue, times >= 0 else {
          state.report("'milestones' should map steps to how often they are named")
          return
        }
        saved += Array(repeating: milestone, count: times)
      }
      milestones = saved.sorted()
    } else {
      state.read("milestones", into: &milestones)
    }
    state.read("gamma", into: &gamma)
  }
}

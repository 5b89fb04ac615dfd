import Glibc
public import Torch

/// Lets the learning rate fall from the base one to `minimum` along half a cosine in `maximumSteps` steps.
///
/// η = η_min + (η_base - η_min)(1 + cos(πt/T)) / 2, after Loshchilov and Hutter, SGDR,
/// [arXiv:1608.03983](https://arxiv.org/abs/1608.03983). After T steps it rises again.
public final class CosineAnnealingLR: LearningRateSchedule {
  /// The number of steps T from the base learning rate to the minimum; at least 1.
  public private(set) var maximumSteps: Int
  /// The smallest learning rate.
  public private(set) var minimum: Double

  /// Creates the schedule; the learning rates of step 0 are the base ones.
  public init(_ optimizer: Optimizer, maximumSteps: Int, minimum: Double = 0) {
    self.maximumSteps = max(1, maximumSteps)
    self.minimum = minimum
    super.init(optimizer)
    Self.require(maximumSteps > 0, "maximumSteps is \(maximumSteps); give a number of steps that is at least 1")
  }

  public override func learningRates() -> [Double] {
    if isInitial { return currentLearningRates }
    let period = Double(maximumSteps)
    if stepCount == 1, lastEpoch > 0 {
      let height = (1 + cos(Double(lastEpoch) * .pi / period))
      return baseLearningRates.map { minimum + ($0 - minimum) * height / 2 }
    }
    if (lastEpoch - 1 - maximumSteps) % (2 * maximumSteps) == 0 {
      let rise = 1 - cos(.pi / period)
      return zip(currentLearningRates, baseLearningRates).map { $0 + ($1 - minimum) * rise / 2 }
    }
    let ratio = (1 + cos(.pi * Double(lastEpoch) / period)) / (1 + cos(.pi * Double(lastEpoch - 1) / period))
    return currentLearningRates.map { ratio * ($0 - minimum) + minimum }
  }

  public override func closedFormLearningRates() -> [Double]? {
    let height = (1 + cos(.pi * Double(lastEpoch) / Double(maximumSteps)))
    return baseLearningRates.map { minimum + ($0 - minimum) * height / 2 }
  }

  public override func store(into state: inout ArchiveDictionary) {
    state["T_max"] = .int(maximumSteps)
    state["eta_min"] = .double(minimum)
  }

  public override func restore(from state: inout StateReader) {
    state.read("T_max", into: &maximumSteps)
    state.read("eta_min", into: &minimum)
    if maximumSteps < 1 { state.report("'T_max' is \(maximumSteps), it should be at least 1") }
  }
}

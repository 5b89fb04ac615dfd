public import Torch

/// Multiplies each group's base learning rate by a function of the step.
public final class LambdaLR: LearningRateSchedule {
  private let factors: [(Int) -> Double]

  /// Creates the schedule with one function for all groups.
  ///
  /// - Parameter factor: from the number of the step, 0 first, to the factor.
  public convenience init(_ optimizer: Optimizer, factor: @escaping (Int) -> Double) {
    self.init(optimizer, factors: optimizer.parameterGroups.map { _ in factor })
  }

  /// Creates the schedule with a function for each group.
  public init(_ optimizer: Optimizer, factors: [(Int) -> Double]) {
    self.factors = factors
    super.init(optimizer)
    Self.require(
      factors.count == optimizer.parameterGroups.count,
      "there are \(factors.count) functions for \(optimizer.parameterGroups.count) parameter groups; give one for each")
  }

  public override func learningRates() -> [Double] {
    zip(baseLearningRates, factors).map { base, factor in base * factor(lastEpoch) }
  }

  /// The functions are code, so the state holds `None` for each, as PyTorch's does.
  public override func store(into state: inout ArchiveDictionary) {
    state["lr_lambdas"] = .list(factors.map { _ in .none })
  }
}

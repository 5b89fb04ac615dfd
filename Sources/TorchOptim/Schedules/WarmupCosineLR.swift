import Glibc
public import Torch

/// Raises the learning rate to that of the optimizer and lets it fall along half a cosine.
///
/// Both ends are given as parts of the learning rate that each group has. The first step has a learning rate of 0.
/// DeepSpeed's [WarmupCosineLR](https://deepspeed.readthedocs.io/en/latest/schedulers.html); step it after every
/// optimizer step. After `totalSteps` steps the learning rate stays where it is.
public final class WarmupCosineLR: LearningRateSchedule {
  /// The number of steps until the learning rate is at its end.
  public private(set) var totalSteps: Int
  /// The part of the learning rate that the warm-up begins with; in 0...1.
  public private(set) var minimumPart: Double
  /// The number of steps of the warm-up; at least 2.
  public private(set) var warmUpSteps: Int
  /// The part of the learning rate at the end; in 0...1.
  public private(set) var finalPart: Double
  /// The way up.
  public private(set) var shape: WarmupLR.Shape

  /// Creates the schedule and sets the learning rates of step 0.
  ///
  /// - Parameters:
  ///   - totalSteps: the steps of the whole run, warm-up included; at least 1.
  ///   - warmUpSteps: the length of the warm-up; fewer than 2 steps count as 2.
  public init(
    _ optimizer: Optimizer, totalSteps: Int, minimumPart: Double = 0, warmUpSteps: Int = 1000,
    finalPart: Double = 0.0001, shape: WarmupLR.Shape = .logarithmic
  ) {
    self.totalSteps = totalSteps
    self.minimumPart = minimumPart
    self.warmUpSteps = max(2, warmUpSteps)
    self.finalPart = finalPart
    self.shape = shape
    super.init(optimizer)
    Self.require(totalSteps > 0, "totalSteps is \(totalSteps); give a number of steps of at least 1")
    Self.require((0...1).contains(minimumPart), "minimumPart is \(minimumPart); give a number in 0...1")
    Self.require((0...1).contains(finalPart), "finalPart is \(finalPart); give a number in 0...1")
  }

  public override func learningRates() -> [Double] {
    let part = lastEpoch > 0 ? part(of: lastEpoch - 1) : 0
    return baseLearningRates.map { $0 * part }
  }

  public override func closedFormLearningRates() -> [Double]? { learningRates() }

  private func part(of iteration: Int) -> Double {
    if iteration < warmUpSteps {
      return minimumPart + (1 - minimumPart) * WarmupLR.rise(iteration, of: warmUpSteps, shape)
    }
    let fallSteps = max(1, totalSteps - warmUpSteps)
    let passed = Double(min(iteration - warmUpSteps + 1, fallSteps)) / Double(fallSteps)
    return finalPart + (1 - finalPart) * (1 + cos(.pi * passed)) / 2
  }

  public override func store(into state: inout ArchiveDictionary) {
    state["last_batch_iteration"] = .int(lastEpoch - 1)
    state["total_num_steps"] = .int(totalSteps)
    state["warmup_min_ratio"] = .double(minimumPart)
    state["warmup_num_steps"] = .int(warmUpSteps)
    state["cos_min_ratio"] = .double(finalPart)
    state["warmup_type"] = .string(shape.rawValue)
  }

  public override func restore(from state: inout StateReader) {
    state.read("total_num_steps", into: &totalSteps)
    state.read("warmup_min_ratio", into: &minimumPart)
    state.read("warmup_num_steps", into: &warmUpSteps)
    state.read("cos_min_ratio", into: &finalPart)
    shape.restore("warmup_type", from: &state)
  }
}

public import Torch

/// ``WarmupLR`` followed by a straight line down to 0 at step `totalSteps`.
///
/// DeepSpeed's [WarmupDecayLR](https://deepspeed.readthedocs.io/en/latest/schedulers.html); step it after every
/// optimizer step.
public final class WarmupDecayLR: WarmupLR {
  /// The number of steps until the learning rate is 0.
  public private(set) var totalSteps: Int

  /// Creates the schedule and sets the learning rates of step 0.
  ///
  /// - Parameter totalSteps: the steps of the whole run, warm-up included; at least 1.
  public init(
    _ optimizer: Optimizer, totalSteps: Int, minimum: Double = 0, maximum: Double? = nil, warmUpSteps: Int = 1000,
    shape: Shape = .logarithmic
  ) {
    self.totalSteps = totalSteps
    super.init(optimizer, minimum: minimum, maximum: maximum, warmUpSteps: warmUpSteps, shape: shape)
    Self.require(totalSteps > 0, "totalSteps is \(totalSteps); give a number of steps of at least 1")
  }

  public override func part(of iteration: Int) -> Double {
    guard iteration >= warmUpSteps else { return super.part(of: iteration) }
    return max(0, Double(totalSteps - iteration) / Double(max(1, totalSteps - warmUpSteps)))
  }

  public override func store(into state: inout ArchiveDictionary) {
    super.store(into: &state)
    state["total_num_steps"] = .int(totalSteps)
  }

  public override func restore(from state: inout StateReader) {
    super.restore(from: &state)
    state.read("total_num_steps", into: &totalSteps)
  }
}

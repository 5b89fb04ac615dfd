import Glibc
public import Torch

/// Raises the learning rate steadily, to find the highest one that a model can stand.
///
/// The rate of step i is minimum·(1 + rate·i/stepSize), i/stepSize rounded down with `staircase`. After Smith,
/// [arXiv:1803.09820](https://arxiv.org/abs/1803.09820), as DeepSpeed's
/// [LRRangeTest](https://deepspeed.readthedocs.io/en/latest/schedulers.html); step it after every optimizer step.
public final class LRRangeTest: LearningRateSchedule {
  /// The learning rate of the first step.
  public private(set) var minimum: Double
  /// The number of steps in which the learning rate grows by `rate` times the minimum; at least 1.
  public private(set) var stepSize: Int
  /// How fast the learning rate grows.
  public private(set) var rate: Double
  /// Whether the learning rate changes only after every `stepSize` steps.
  public private(set) var staircase: Bool

  /// Creates the schedule and sets the learning rates of step 0.
  public init(
    _ optimizer: Optimizer, minimum: Double = 1e-3, stepSize: Int = 2000, rate: Double = 1, staircase: Bool = false
  ) {
    self.minimum = minimum
    self.stepSize = max(1, stepSize)
    self.rate = rate
    self.staircase = staircase
    super.init(optimizer)
    Self.require(stepSize > 0, "stepSize is \(stepSize); give a number of steps of at least 1")
    Self.require(minimum > 0, "minimum is \(minimum); give a learning rate above 0")
  }

  public override func learningRates() -> [Double] {
    let passed = Double(lastEpoch) / Double(stepSize)
    let learningRate = minimum * (1 + rate * (staircase ? floor(passed) : passed))
    return optimizer.parameterGroups.map { _ in learningRate }
  }

  public override func closedFormLearningRates() -> [Double]? { learningRates() }

  public override func store(into state: inout ArchiveDictionary) {
    state["last_batch_iteration"] = .int(lastEpoch - 1)
    state["min_lr"] = .double(minimum)
    state["step_size"] = .int(stepSize)
    state["step_rate"] = .double(rate)
    state["staircase"] = .bool(staircase)
  }

  public override func restore(from state: inout StateReader) {
    state.read("min_lr", into: &minimum)
    state.read("step_size", into: &stepSize)
    state.read("step_rate", into: &rate)
    state.read("staircase", into: &staircase)
  }
}

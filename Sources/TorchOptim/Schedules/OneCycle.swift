public import Torch

/// One straight cycle of the learning rate, up and down, and a slow decay after it; momentum goes the other way.
///
/// DeepSpeed's [OneCycle](https://deepspeed.readthedocs.io/en/latest/schedulers.html) after Smith,
/// [arXiv:1803.09820](https://arxiv.org/abs/1803.09820); PyTorch's policy of that name is ``OneCycleLR``. Step it after
/// every optimizer step.
public final class OneCycle: LearningRateSchedule {
  /// The ends between which a value moves, and how fast it decays after the cycle.
  public struct Course: Sendable {
    public var minimum: Double
    public var maximum: Double
    /// What is added to the divisor (learning rate) or factor (momentum) in every `decayStepSize` steps after the cycle.
    public var decayRate: Double

    public init(minimum: Double, maximum: Double, decayRate: Double = 0) {
      self.minimum = minimum
      self.maximum = maximum
      self.decayRate = decayRate
    }
  }

  /// The course of the learning rate.
  public private(set) var learningRate: Course
  /// The course of the momentum, or of the first beta; nil leaves it alone.
  public private(set) var momentum: Course?
  /// The number of steps of the way up; at least 1.
  public private(set) var firstSteps: Int
  /// The number of steps of the way down; at least 1.
  public private(set) var secondSteps: Int
  /// The steps that `decayRate` refers to; 0 for no decay.
  public private(set) var decayStepSize: Int

  /// Creates the schedule and sets learning rates and momenta of step 0.
  ///
  /// - Parameters:
  ///   - momentum: nil when the optimizer has none.
  ///   - secondSteps: the way down; as long as the way up when left out.
  public init(
    _ optimizer: Optimizer, learningRate: Course, momentum: Course? = Course(minimum: 0.8, maximum: 0.9),
    firstSteps: Int = 2000, secondSteps: Int? = nil, decayStepSize: Int = 0
  ) {
    self.learningRate = learningRate
    let hasMomentum = optimizer.parameterGroups.allSatisfy { $0.momentumCoefficient != nil }
    self.momentum = hasMomentum ? momentum : nil
    self.firstSteps = max(1, firstSteps)
    self.secondSteps = max(1, secondSteps ?? firstSteps)
    self.decayStepSize = decayStepSize
    super.init(optimizer)
    Self.require(firstSteps > 0, "firstSteps is \(firstSteps); give a number of steps of at least 1")
    Self.require((secondSteps ?? 1) > 0, "secondSteps is \(secondSteps ?? 0); give a number of steps of at least 1")
    Self.require(decayStepSize >= 0, "decayStepSize is \(decayStepSize); give a number of steps, or 0 for no decay")
  }

  private var cycleSteps: Int { firstSteps + secondSteps }

  public override func learningRates() -> [Double] {
    setMomenta()
    let rate: Double
    if lastEpoch <= cycleSteps {
      rate = learningRate.minimum + (learningRate.maximum - learningRate.minimum) * height
    } else {
      rate = learningRate.minimum / (1 + learningRate.decayRate * decayed)
    }
    return optimizer.parameterGroups.map { _ in rate }
  }

  public override func closedFormLearningRates() -> [Double]? { learningRates() }

  private func setMomenta() {
    guard let momentum else { return }
    let value: Double
    if isInitial {
      value = momentum.minimum
    } else if lastEpoch <= cycleSteps {
      value = momentum.maximum - (momentum.maximum - momentum.minimum) * height
    } else {
      value = momentum.maximum * (1 + momentum.decayRate * decayed)
    }
    for group in optimizer.parameterGroups { group.momentumCoefficient = value }
  }

  /// How high the cycle is, in 0...1.
  private var height: Double {
    lastEpoch <= firstSteps
      ? Double(lastEpoch) / Double(firstSteps) : Double(cycleSteps - lastEpoch) / Double(secondSteps)
  }

  /// Steps since the end of the cycle, in units of `decayStepSize`.
  private var decayed: Double { decayStepSize == 0 ? 0 : Double(lastEpoch - cycleSteps) / Double(decayStepSize) }

  public override func store(into state: inout ArchiveDictionary) {
    state["last_batch_iteration"] = .int(lastEpoch - 1)
    store(learningRate, "lr", into: &state)
    if let momentum { store(momentum, "mom", into: &state) }
    state["cycle_first_step_size"] = .int(firstSteps)
    state["cycle_second_step_size"] = .int(secondSteps)
    state["decay_step_size"] = .int(decayStepSize)
  }

  public override func restore(from state: inout StateReader) {
    restore(&learningRate, "lr", from: &state)
    if var course = momentum {
      restore(&course, "mom", from: &state)
      momentum = course
    }
    state.read("cycle_first_step_size", into: &firstSteps)
    state.read("cycle_second_step_size", into: &secondSteps)
    state.read("decay_step_size", into: &decayStepSize)
  }

  private func store(_ course: Course, _ name: String, into state: inout ArchiveDictionary) {
    state["cycle_min_\(name)"] = .double(course.minimum)
    state["cycle_max_\(name)"] = .double(course.maximum)
    state["decay_\(name)_rate"] = .double(course.decayRate)
  }

  private func restore(_ course: inout Course, _ name: String, from state: inout StateReader) {
    state.read("cycle_min_\(name)", into: &course.minimum)
    state.read("cycle_max_\(name)", into: &course.maximum)
    state.read("decay_\(name)_rate", into: &course.decayRate)
  }
}

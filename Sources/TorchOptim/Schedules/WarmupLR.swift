import Glibc
public import Torch

/// Raises the learning rate from `minimum` to `maximum` in `warmUpSteps` steps and leaves it there.
///
/// With i the number of steps made before this one, less one (the first two steps have `minimum`), the rate is
/// minimum + (maximum - minimum)·γ, γ = log(i + 1) / log(warmUpSteps) or i / warmUpSteps. This is DeepSpeed's
/// [WarmupLR](https://deepspeed.readthedocs.io/en/latest/schedulers.html); step it after every optimizer step.
open class WarmupLR: LearningRateSchedule {
  /// The way from one learning rate to the other.
  public enum Shape: String, Sendable, CaseIterable {
    /// Fast at first.
    case logarithmic = "log"
    /// A straight line.
    case linear
  }

  /// The learning rate of the first step.
  public private(set) var minimum: Double
  /// The learning rate of each group after the warm-up.
  public private(set) var maxima: [Double]
  /// The number of steps; at least 2.
  public private(set) var warmUpSteps: Int
  /// The way between the learning rates.
  public private(set) var shape: Shape

  /// Creates the schedule and sets the learning rates of step 0.
  ///
  /// - Parameters:
  ///   - maximum: the learning rate after the warm-up; nil for that which each group has now.
  ///   - warmUpSteps: the length of the warm-up; fewer than 2 steps count as 2.
  public init(
    _ optimizer: Optimizer, minimum: Double = 0, maximum: Double? = nil, warmUpSteps: Int = 1000,
    shape: Shape = .logarithmic
  ) {
    self.minimum = minimum
    maxima = optimizer.parameterGroups.map { maximum ?? $0.learningRate }
    self.warmUpSteps = max(2, warmUpSteps)
    self.shape = shape
    super.init(optimizer)
    Self.require(minimum >= 0, "minimum is \(minimum); give a learning rate of at least 0")
    Self.require(warmUpSteps >= 0, "warmUpSteps is \(warmUpSteps); give a number of steps of at least 0")
  }

  open override func learningRates() -> [Double] {
    guard lastEpoch > 0 else { return maxima.map { _ in minimum } }
    let part = part(of: lastEpoch - 1)
    return maxima.map { minimum + ($0 - minimum) * part }
  }

  public override func closedFormLearningRates() -> [Double]? { learningRates() }

  /// How far the learning rate is on the way to its maximum, `iteration` steps after the first.
  open func part(of iteration: Int) -> Double {
    iteration < warmUpSteps ? Self.rise(iteration, of: warmUpSteps, shape) : 1
  }

  static func rise(_ iteration: Int, of steps: Int, _ shape: Shape) -> Double {
    switch shape {
    case .logarithmic: log(Double(iteration + 1)) / log(Double(steps))
    case .linear: Double(iteration) / Double(steps)
    }
  }

  open override func store(into state: inout ArchiveDictionary) {
    state["last_batch_iteration"] = .int(lastEpoch - 1)
    state["min_lr"] = .double(minimum)
    state["max_lrs"] = .list(maxima.map { .double($0) })
    state["warmup_num_steps"] = .int(warmUpSteps)
    state["warmup_type"] = .string(shape.rawValue)
  }

  open override func restore(from state: inout StateReader) {
    state.read("min_lr", into: &minimum)
    readRates("max_lrs", into: &maxima, from: &state)
    state.read("warmup_num_steps", into: &warmUpSteps)
    shape.restore("warmup_type", from: &state)
  }
}

extension WarmupLR.Shape {
  /// Reads the name of a shape.
  mutating func restore(_ key: String, from state: inout StateReader) {
    var name = rawValue
    state.read(key, into: &name)
    guard let saved = WarmupLR.Shape(rawValue: name) else {
      return state.report("'\(key)' is '\(name)', it should be 'log' or 'linear'")
    }
    self = saved
  }
}

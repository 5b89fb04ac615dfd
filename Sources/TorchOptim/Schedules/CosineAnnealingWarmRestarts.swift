import Glibc
public import Torch

/// Anneals along half a cosine again and again, each round `multiplier` times as long as the last.
///
/// After Loshchilov and Hutter, SGDR, [arXiv:1608.03983](https://arxiv.org/abs/1608.03983).
public final class CosineAnnealingWarmRestarts: LearningRateSchedule {
  /// The number of steps of the first round; at least 1.
  public private(set) var firstPeriod: Int
  /// By how much each round is longer than the last; at least 1.
  public private(set) var multiplier: Int
  /// The smallest learning rate.
  public private(set) var minimum: Double
  private var period: Int
  private var position = -1

  /// Creates the schedule; the learning rates of step 0 are the base ones.
  public init(_ optimizer: Optimizer, firstPeriod: Int, multiplier: Int = 1, minimum: Double = 0) {
    self.firstPeriod = max(1, firstPeriod)
    self.multiplier = max(1, multiplier)
    self.minimum = minimum
    period = self.firstPeriod
    super.init(optimizer)
    Self.require(firstPeriod > 0, "firstPeriod is \(firstPeriod); give a number of steps that is at least 1")
    Self.require(multiplier > 0, "multiplier is \(multiplier); give a whole number that is at least 1")
  }

  /// Sets the learning rates of the next step. Like PyTorch's, this does not count in `_step_count`.
  public override func step() {
    if lastEpoch < 0 {
      lastEpoch = 0
      position = 0
      period = firstPeriod
    } else {
      lastEpoch += 1
      position += 1
      if position >= period {
        position %= period
        period *= multiplier
      }
    }
    apply(learningRates())
  }

  public override func learningRates() -> [Double] {
    let height = 1 + cos(.pi * Double(position) / Double(period))
    return baseLearningRates.map { minimum + ($0 - minimum) * height / 2 }
  }

  public override func store(into state: inout ArchiveDictionary) {
    state["T_0"] = .int(firstPeriod)
    state["T_i"] = .int(period)
    state["T_mult"] = .int(multiplier)
    state["eta_min"] = .double(minimum)
    state["T_cur"] = .int(position)
  }

  public override func restore(from state: inout StateReader) {
    state.read("T_0", into: &firstPeriod)
    state.read("T_i", into: &period)
    state.read("T_mult", into: &multiplier)
    state.read("eta_min", into: &minimum)
    state.read("T_cur", into: &position)
    if firstPeriod < 1 || period < 1 {
      state.report("'T_0' is \(firstPeriod) and 'T_i' \(period), both should be at least 1")
    }
  }
}

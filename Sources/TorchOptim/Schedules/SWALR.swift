import Glibc
public import Torch

/// Anneals the learning rate to that of stochastic weight averaging, and keeps it there.
///
/// lr(t) = lr_swa · a(t) + lr_start · (1 - a(t)) with a(t) = (1 - cos(πt/T)) / 2 or t/T for t < T, and 1 from then on;
/// PyTorch's `torch.optim.swa_utils.SWALR`.
public final class SWALR: LearningRateSchedule {
  /// The form of the way.
  public enum Annealing: String, Sendable {
    case cosine = "cos"
    case linear = "linear"
  }

  /// The learning rate to arrive at.
  public let averagingRate: Double
  /// The number of steps T on the way; 0 to jump.
  public let annealingSteps: Int
  public let annealing: Annealing
  private var startRates: [Double] = []

  /// Creates the schedule at its start: the learning rates stay as they are at step 0.
  public init(_ optimizer: Optimizer, averagingRate: Double, annealingSteps: Int = 10, annealing: Annealing = .cosine) {
    self.averagingRate = averagingRate
    self.annealingSteps = annealingSteps
    self.annealing = annealing
    startRates = optimizer.parameterGroups.map(\.learningRate)
    super.init(optimizer)
    Self.require(averagingRate >= 0, "averagingRate is \(averagingRate); give a number that is at least 0")
    Self.require(annealingSteps >= 0, "annealingSteps is \(annealingSteps); give a number of steps that is at least 0")
  }

  private var share: Double {
    guard annealingSteps > 0 else { return lastEpoch > 0 ? 1 : 0 }
    let time = min(1, max(0, Double(lastEpoch) / Double(annealingSteps)))
    return annealing == .cosine ? (1 - cos(.pi * time)) / 2 : time
  }

  public override func learningRates() -> [Double] {
    let share = share
    return startRates.map { averagingRate * share + $0 * (1 - share) }
  }

  public override func store(into state: inout ArchiveDictionary) {
    state["start_lrs"] = .list(startRates.map { .double($0) })
  }

  public override func restore(from state: inout StateReader) {
    readRates("start_lrs", into: &startRates, from: &state)
  }
}

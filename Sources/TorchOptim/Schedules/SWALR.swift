import Glibc
public import Torch

/// Anneals the learning rate to that of stochastic weight averaging, and keeps it there.
///
/// η_t = η_swa · a(t) + η_start · (1 - a(t)) with a(t) = (1 - cos(πt/T)) / 2 or t/T for t < T, and 1 from then on:
/// PyTorch's `torch.optim.swa_utils.SWALR`. The start is the learning rate the groups have.
public final class SWALR: LearningRateSchedule {
  /// The form of the way.
  public enum Annealing: String, Sendable {
    case cosine = "cos"
    case linear = "linear"
  }

  /// The learning rate to arrive at.
  public let averagingRate: Double
  /// The number of steps T on the way; 0 to be there at once.
  public private(set) var annealingSteps: Int
  public private(set) var annealing: Annealing

  /// Creates the schedule at its start: the learning rates stay as they are at step 0.
  public init(_ optimizer: Optimizer, averagingRate: Double, annealingSteps: Int = 10, annealing: Annealing = .cosine) {
    self.averagingRate = averagingRate
    self.annealingSteps = annealingSteps
    self.annealing = annealing
    for group in optimizer.parameterGroups { group.annotations["swa_lr"] = .double(averagingRate) }
    super.init(optimizer)
    Self.require(averagingRate >= 0, "averagingRate is \(averagingRate); give a number that is at least 0")
    Self.require(annealingSteps >= 0, "annealingSteps is \(annealingSteps); give a number of steps that is at least 0")
  }

  private func share(_ step: Int) -> Double {
    let time = max(0, min(1, Double(step) / Double(max(1, annealingSteps))))
    return annealing == .cosine ? (1 - cos(.pi * time)) / 2 : time
  }

  public override func learningRates() -> [Double] {
    let step = annealingSteps == 0 ? max(1, stepCount - 1) : stepCount - 1
    let before = share(step - 1)
    let share = share(step)
    return optimizer.parameterGroups.map { group in
      let goal = group.annotation("swa_lr")
      let start = before == 1 ? goal : (group.learningRate - before * goal) / (1 - before)
      return goal * share + start * (1 - share)
    }
  }

  public override func store(into state: inout ArchiveDictionary) {
    state["_anneal_strategy"] = .string(annealing.rawValue)
    state["anneal_epochs"] = .int(annealingSteps)
  }

  public override func restore(from state: inout StateReader) {
    var form = annealing.rawValue
    state.read("_anneal_strategy", into: &form)
    state.read("anneal_epochs", into: &annealingSteps)
    if let known = Annealing(rawValue: form) {
      annealing = known
    } else {
      state.report("'_anneal_strategy' is '\(form)', it should be 'cos' or 'linear'")
    }
  }
}

public import Torch

/// Runs schedules one after the other, changing to the next at each milestone; a warm-up, then an annealing.
///
/// ```swift
/// let warmUp = LinearLR(optimizer, startFactor: 0.1, totalIterations: 100)
/// let annealing = CosineAnnealingLR(optimizer, maximumSteps: 900)
/// let schedule = SequentialLR(optimizer, [warmUp, annealing], milestones: [100])
/// ```
public final class SequentialLR: LearningRateSchedule {
  /// The schedules, in order; all of the same optimizer.
  public let schedules: [LearningRateSchedule]
  /// The step at which each schedule after the first begins; one fewer than there are schedules.
  public private(set) var milestones: [Int]

  /// Creates the schedule and sets the learning rates of step 0.
  public init(_ optimizer: Optimizer, _ schedules: [LearningRateSchedule], milestones: [Int]) {
    self.schedules = schedules
    self.milestones = milestones
    super.init(optimizer)
    Self.require(
      milestones.count == schedules.count - 1,
      "there are \(schedules.count) schedules and \(milestones.count) milestones; give one milestone fewer than schedules"
    )
    for (index, schedule) in schedules.enumerated() {
      Self.require(
        !schedule.needsMetric,
        "schedule \(index) is a \(type(of: schedule)), which needs a metric at each step; use it on its own")
      Self.require(schedule.optimizer === optimizer, "schedule \(index) belongs to another optimizer")
    }
  }

  override func initialStep() {
    for group in optimizer.parameterGroups { group.learningRate = group.annotation("initial_lr") }
    for schedule in schedules { schedule.undoInitialStep() }
    lastEpoch = 0
    if schedules.isEmpty { return }
    let schedule = schedules[active]
    schedule.initialStep()
    lastLearningRates = schedule.lastLearningRates
  }

  package override func scaleLearningRates(by factor: Double) {
    super.scaleLearningRates(by: factor)
    for schedule in schedules { schedule.scaleLearningRates(by: factor) }
  }

  override func undoInitialStep() {
    for schedule in schedules { schedule.undoInitialStep() }
  }

  override func restart() {
    lastEpoch = 0
    guard !schedules.isEmpty else { return }
    schedules[active].restart()
    lastLearningRates = schedules[active].lastLearningRates
  }

  public override func step() {
    lastEpoch += 1
    guard !schedules.isEmpty else { return }
    let index = active
    if index > 0, milestones[index - 1] == lastEpoch {
      schedules[index].restart()
    } else {
      schedules[index].step()
    }
    lastLearningRates = schedules[index].lastLearningRates
  }

  private var active: Int { min(milestones.count { $0 <= lastEpoch }, schedules.count - 1) }

  public override func store(into state: inout ArchiveDictionary) {
    state["_milestones"] = .list(milestones.map { .int($0) })
    state["_schedulers"] = .list(schedules.map { $0.stateDictionary() })
  }

  public override func restore(from state: inout StateReader) {
    state.read("_milestones", into: &milestones)
    if milestones.count != schedules.count - 1 {
      state.report("'_milestones' has \(milestones.count) steps for \(schedules.count) schedules")
    }
    let saved = state.entries["_schedulers"]?.listValue ?? []
    guard saved.count == schedules.count else {
      return state.report("'_schedulers' has \(saved.count) states, there are \(schedules.count) schedules")
    }
    for (index, (schedule, value)) in zip(schedules, saved).enumerated() {
      var reader = StateReader(value, context: "schedule \(index), a \(type(of: schedule))")
      schedule.read(&reader)
      state.absorb(reader)
    }
  }

  override func storeProgress(into state: inout ArchiveDictionary) {
    state["last_epoch"] = .int(lastEpoch)
    state["_last_lr"] = .list(lastLearningRates.map { .double($0) })
  }

  override func restoreProgress(from state: inout StateReader) {
    state.read("last_epoch", into: &lastEpoch)
    readRates("_last_lr", into: &lastLearningRates, from: &state)
  }
}

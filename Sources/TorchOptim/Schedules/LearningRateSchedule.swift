public import Torch

/// The base of schedules that set the learning rate of an optimizer's groups.
///
/// Making a schedule sets the learning rate for step 0; each ``step()`` sets the next. The values are those of
/// PyTorch's `torch.optim.lr_scheduler`, computed by the same recursive formulas, so a learning rate changed by hand
/// between steps carries on from there. A subclass sets its own properties, calls `super.init`, and overrides
/// ``learningRates()``.
open class LearningRateSchedule {
  /// The optimizer whose groups are set.
  public let optimizer: Optimizer
  /// The learning rate each group started with.
  public internal(set) var baseLearningRates: [Double]
  /// How many steps have been made; 0 after creation.
  public internal(set) var lastEpoch = -1
  /// The learning rate of each group as the last step set it.
  public internal(set) var lastLearningRates: [Double]

  var stepCount = 0
  /// Whether the learning rates for step 0 are being computed.
  public internal(set) var isInitial = false

  /// Attaches a schedule and sets the learning rates of step 0.
  ///
  /// The groups remember the learning rate they start with (`initial_lr`), so that schedules made one after the other
  /// start from the same.
  public init(_ optimizer: Optimizer) {
    self.optimizer = optimizer
    for group in optimizer.parameterGroups where group.annotations["initial_lr"] == nil {
      group.annotations["initial_lr"] = .double(group.learningRate)
    }
    baseLearningRates = optimizer.parameterGroups.map { $0.annotation("initial_lr") }
    lastLearningRates = optimizer.parameterGroups.map(\.learningRate)
    initialStep()
  }

  /// Whether ``step()`` needs a metric, which ``ReduceLROnPlateau`` takes by `step(metric:)`.
  open var needsMetric: Bool { false }

  /// Sets the learning rates of the next step.
  open func step() {
    stepCount += 1
    lastEpoch += 1
    apply(learningRates())
  }

  /// The learning rate of each group for step ``lastEpoch``, usually from the present ones.
  open func learningRates() -> [Double] { currentLearningRates }

  /// The learning rate of each group for step ``lastEpoch`` from the base ones alone; `nil` when there is no such
  /// formula.
  open func closedFormLearningRates() -> [Double]? { nil }

  /// The learning rate of each group as it is now.
  public final var currentLearningRates: [Double] { optimizer.parameterGroups.map(\.learningRate) }

  /// Writes what a subclass keeps, by PyTorch's names.
  open func store(into state: inout ArchiveDictionary) {}

  /// Reads what ``store(into:)`` wrote.
  open func restore(from state: inout StateReader) {}

  /// The state, in the layout of PyTorch's `state_dict()`.
  public final func stateDictionary() -> ArchiveValue {
    var state = ArchiveDictionary()
    store(into: &state)
    storeProgress(into: &state)
    return .dictionary(state)
  }

  /// Restores what ``stateDictionary()`` or PyTorch's `state_dict()` returned.
  ///
  /// The learning rates themselves are part of the optimizer's state.
  ///
  /// - Throws: `ScheduleStateError` naming every mismatch; then nothing has changed.
  public final func load(_ state: ArchiveValue) throws(ScheduleStateError) {
    let before = stateDictionary()
    var reader = StateReader(state)
    if reader.problems.isEmpty { read(&reader) }
    guard !reader.problems.isEmpty else { return }
    var undo = StateReader(before)
    read(&undo)
    throw ScheduleStateError(schedule: "\(type(of: self))", problems: reader.problems)
  }

  func read(_ reader: inout StateReader) {
    restore(from: &reader)
    restoreProgress(from: &reader)
  }

  /// Writes the counters that all schedules keep.
  func storeProgress(into state: inout ArchiveDictionary) {
    state["base_lrs"] = .list(baseLearningRates.map { .double($0) })
    state["last_epoch"] = .int(lastEpoch)
    state["_step_count"] = .int(stepCount)
    state["_is_initial"] = .bool(false)
    state["_get_lr_called_within_step"] = .bool(false)
    state["_last_lr"] = .list(lastLearningRates.map { .double($0) })
  }

  /// Reads the counters that all schedules keep.
  func restoreProgress(from state: inout StateReader) {
    readRates("base_lrs", into: &baseLearningRates, from: &state)
    state.read("last_epoch", into: &lastEpoch)
    state.read("_step_count", into: &stepCount)
    readRates("_last_lr", into: &lastLearningRates, from: &state)
  }

  /// Reads a list of one number per parameter group.
  final func readRates(_ key: String, into rates: inout [Double], from state: inout StateReader) {
    var saved = rates
    state.read(key, into: &saved)
    if saved.count == optimizer.parameterGroups.count {
      rates = saved
    } else {
      state.report(
        "'\(key)' has \(saved.count) learning rates, the optimizer \(optimizer.parameterGroups.count) parameter groups")
    }
  }

  /// Makes the step to step 0.
  func initialStep() {
    stepCount = 0
    isInitial = true
    step()
    isInitial = false
  }

  /// Multiplies the learning rates that the schedule starts from, after those of the optimizer's groups were.
  package func scaleLearningRates(by factor: Double) {
    baseLearningRates = baseLearningRates.map { $0 * factor }
    lastLearningRates = currentLearningRates
  }

  /// Takes back the initial step, for a schedule that is to start later.
  func undoInitialStep() {
    lastEpoch -= 1
  }

  /// Starts at step 0 from the base learning rates, in the middle of a run.
  func restart() {
    lastEpoch = 0
    apply(closedFormLearningRates() ?? learningRates())
  }

  /// Sets the learning rate of each group.
  final func apply(_ rates: [Double]) {
    for (group, rate) in zip(optimizer.parameterGroups, rates) { group.learningRate = rate }
    lastLearningRates = currentLearningRates
  }

  /// Records an error unless `condition` holds.
  static func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { _ = Tensor.failed(operation: "\(Self.self)", message: message()) }
  }
}

extension ParameterGroup {
  /// A number that a schedule keeps in the group; the learning rate when there is none.
  func annotation(_ key: String) -> Double {
    annotations[key]?.doubleValue ?? learningRate
  }
}

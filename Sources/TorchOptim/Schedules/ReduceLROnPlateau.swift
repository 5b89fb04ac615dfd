public import Torch

/// Multiplies the learning rate by `factor` when a metric has stopped improving.
///
/// Step it with `step(metric:)`, usually after validation.
public final class ReduceLROnPlateau: LearningRateSchedule {
  /// Which way a metric improves.
  public enum Mode: String, Sendable {
    case minimum = "min"
    case maximum = "max"
  }

  /// What the threshold is measured in.
  public enum ThresholdMode: String, Sendable {
    /// A share of the best value.
    case relative = "rel"
    /// The metric's own unit.
    case absolute = "abs"
  }

  /// Which way the metric improves.
  public private(set) var mode: Mode
  /// The factor, below 1.
  public private(set) var factor: Double
  /// The number of steps without improvement that are tolerated.
  public private(set) var patience: Int
  /// By how much a value must be better than the best to count as an improvement.
  public private(set) var threshold: Double
  /// What the threshold is measured in.
  public private(set) var thresholdMode: ThresholdMode
  /// The number of steps after a reduction during which bad values do not count.
  public private(set) var cooldown: Int
  /// The learning rate of each group that is never gone below.
  public private(set) var minimumLearningRates: [Double]
  /// A reduction smaller than this is not made.
  public private(set) var epsilon: Double
  /// The best metric so far.
  public private(set) var best: Double
  private var cooldownCounter = 0
  private var badSteps = 0

  /// Creates the schedule; the learning rates stay as they are.
  public init(
    _ optimizer: Optimizer, mode: Mode = .minimum, factor: Double = 0.1, patience: Int = 10, threshold: Double = 1e-4,
    thresholdMode: ThresholdMode = .relative, cooldown: Int = 0, minimumLearningRate: Double = 0,
    epsilon: Double = 1e-8
  ) {
    self.mode = mode
    self.factor = factor
    self.patience = patience
    self.threshold = threshold
    self.thresholdMode = thresholdMode
    self.cooldown = cooldown
    self.epsilon = epsilon
    minimumLearningRates = optimizer.parameterGroups.map { _ in minimumLearningRate }
    best = mode == .minimum ? .infinity : -.infinity
    super.init(optimizer)
    Self.require(factor < 1, "factor is \(factor); give a number below 1")
  }

  public override var needsMetric: Bool { true }

  override func initialStep() { lastEpoch = 0 }

  /// Records an error: this schedule needs a metric.
  public override func step() {
    Self.require(false, "this schedule needs the metric it watches; call step(metric:)")
  }

  /// Takes one value of the metric and reduces the learning rates when it has not improved for too long.
  public func step(metric: Double) {
    lastEpoch += 1
    if improves(metric) {
      best = metric
      badSteps = 0
    } else {
      badSteps += 1
    }
    if cooldownCounter > 0 {
      cooldownCounter -= 1
      badSteps = 0
    }
    if badSteps > patience {
      reduce()
      cooldownCounter = cooldown
      badSteps = 0
    }
    lastLearningRates = currentLearningRates
  }

  private func improves(_ metric: Double) -> Bool {
    switch (mode, thresholdMode) {
    case (.minimum, .relative): metric < best * (1 - threshold)
    case (.minimum, .absolute): metric < best - threshold
    case (.maximum, .relative): metric > best * (threshold + 1)
    case (.maximum, .absolute): metric > best + threshold
    }
  }

  private func reduce() {
    for (group, minimum) in zip(optimizer.parameterGroups, minimumLearningRates) {
      let reduced = max(group.learningRate * factor, minimum)
      if group.learningRate - reduced > epsilon { group.learningRate = reduced }
    }
  }

  public override func store(into state: inout ArchiveDictionary) {
    state["factor"] = .double(factor)
    state["min_lrs"] = .list(minimumLearningRates.map { .double($0) })
    state["default_min_lr"] = .double(minimumLearningRates.first ?? 0)
    state["patience"] = .int(patience)
    state["cooldown"] = .int(cooldown)
    state["eps"] = .double(epsilon)
    state["mode"] = .string(mode.rawValue)
    state["mode_worse"] = .double(mode == .minimum ? .infinity : -.infinity)
    state["threshold"] = .double(threshold)
    state["threshold_mode"] = .string(thresholdMode.rawValue)
    state["best"] = .double(best)
    state["cooldown_counter"] = .int(cooldownCounter)
    state["num_bad_epochs"] = .int(badSteps)
  }

  public override func restore(from state: inout StateReader) {
    state.read("factor", into: &factor)
    readRates("min_lrs", into: &minimumLearningRates, from: &state)
    state.read("patience", into: &patience)
    state.read("cooldown", into: &cooldown)
    state.read("eps", into: &epsilon)
    var modeName = mode.rawValue
    state.read("mode", into: &modeName)
    var thresholdName = thresholdMode.rawValue
    state.read("threshold_mode", into: &thresholdName)
    if let savedMode = Mode(rawValue: modeName), let savedThreshold = ThresholdMode(rawValue: thresholdName) {
      mode = savedMode
      thresholdMode = savedThreshold
    } else {
      state.report("'mode' is '\(modeName)' and 'threshold_mode' '\(thresholdName)'; known are min, max and rel, abs")
    }
    state.read("threshold", into: &threshold)
    state.read("best", into: &best)
    state.read("cooldown_counter", into: &cooldownCounter)
    state.read("num_bad_epochs", into: &badSteps)
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

public import Torch

/// Ends training when a metric has stopped to improve.
///
/// The metric is judged at the end of each training epoch; with an interval of validation other than one epoch, and a
/// validation loader, after each validation. Every rank judges the value it has; one that wants to stop stops all.
public final class EarlyStopping: Callback {
  /// The metric, such as `val/loss`.
  public let monitor: String
  public let mode: ModelCheckpoint.Mode
  /// A smaller change than this is no improvement; at least 0.
  public let minimumDelta: Double
  /// How many checks without an improvement are borne.
  public let patience: Int
  /// Whether a metric that was not logged is an error; otherwise it is passed over.
  public let strict: Bool
  /// Whether a metric that is infinite or not a number ends training.
  public let checkFinite: Bool
  /// Training ends as soon as the metric is at least this good.
  public let stoppingThreshold: Double?
  /// Training ends as soon as the metric is worse than this.
  public let divergenceThreshold: Double?
  /// Whether the end of a training epoch is the moment to judge, or that of a validation; nil to decide by the trainer's
  /// interval of validation.
  public let checkOnTrainEpochEnd: Bool?

  /// The best value so far; nil before the first.
  public private(set) var bestScore: Double?
  /// Checks since the best value.
  public private(set) var waitCount = 0
  /// The epoch in which training was ended; 0 when it was not.
  public private(set) var stoppedEpoch = 0
  /// Why training was ended.
  public private(set) var stoppingReason: String?
  private var checksAfterValidation = false

  /// - Parameters:
  ///   - monitor: the metric to judge by.
  ///   - mode: whether small or large values are good.
  ///   - patience: checks without an improvement that are borne; at least 0.
  public init(
    monitor: String, mode: ModelCheckpoint.Mode = .minimum, minimumDelta: Double = 0, patience: Int = 3,
    strict: Bool = true, checkFinite: Bool = true, stoppingThreshold: Double? = nil,
    divergenceThreshold: Double? = nil, checkOnTrainEpochEnd: Bool? = nil
  ) {
    self.monitor = monitor
    self.mode = mode
    self.minimumDelta = abs(minimumDelta)
    self.patience = patience
    self.strict = strict
    self.checkFinite = checkFinite
    self.stoppingThreshold = stoppingThreshold
    self.divergenceThreshold = divergenceThreshold
    self.checkOnTrainEpochEnd = checkOnTrainEpochEnd
  }

  public override var stateKey: String {
    "EarlyStopping{'monitor': '\(monitor)', 'mode': '\(mode == .minimum ? "min" : "max")'}"
  }

  public override var isMonitoring: Bool { true }

  public override func setup(_ trainer: Trainer, _ stage: Stage) throws {
    guard patience >= 0 else {
      throw ConfigurationError(
        "EarlyStopping", "EarlyStopping: patience is \(patience)", suggestion: "give the number of checks, 0 or more")
    }
    guard stage == .fit else { return }
    (bestScore, waitCount, stoppedEpoch, stoppingReason) = (nil, 0, 0, nil)
    let settings = trainer.settings
    let validatesOncePerEpoch =
      (settings.validationInterval == .all || settings.validationInterval == .fraction(1))
      && settings.validateEveryEpochs == 1
    checksAfterValidation = !(checkOnTrainEpochEnd ?? validatesOncePerEpoch)
  }

  public override func onValidationEnd(_ trainer: Trainer) throws {
    guard trainer.stage == .fit, !trainer.isSanityChecking else { return }
    if checksAfterValidation { try check(trainer, epoch: trainer.progress.epoch) }
  }

  public override func onTrainEpochEnd(_ trainer: Trainer) throws {
    let isWithoutValidation = checkOnTrainEpochEnd == nil && !trainer.hasValidation
    guard !checksAfterValidation || isWithoutValidation else { return }
    // The epoch that has just ended; the trainer counts it as done already.
    try check(trainer, epoch: trainer.progress.epoch - 1)
  }

  private func check(_ trainer: Trainer, epoch: Int) throws {
    let own = trainer.callbackMetrics[monitor]
    guard let first = try trainer.strategy.broadcast(number: own) else {
      guard strict else { return }
      let known = trainer.callbackMetrics.keys.sorted().joined(separator: ", ")
      throw ConfigurationError(
        "monitor", "EarlyStopping watches '\(monitor)', which was not logged",
        suggestion: (known.isEmpty ? "log it" : "log it, or name one of \(known)")
          + "; strict: false passes over a missing metric")
    }
    let reason = judge(own ?? first)
    guard try trainer.strategy.reduceDecision(reason != nil, all: false) else { return }
    trainer.shouldStop = true
    stoppedEpoch = epoch
    stoppingReason = reason ?? "another rank asks for it"
    trainer.announce("early stopping: \(stoppingReason ?? "")")
  }

  /// Returns why to stop, or nil to go on.
  private func judge(_ score: Double) -> String? {
    if checkFinite, !score.isFinite { return "\(monitor) is \(score)" }
    if let stoppingThreshold, isBetter(score, than: stoppingThreshold) {
      return "\(monitor) is \(score), which reaches the threshold \(stoppingThreshold)"
    }
    if let divergenceThreshold, isBetter(divergenceThreshold, than: score) {
      return "\(monitor) is \(score), which is worse than \(divergenceThreshold)"
    }
    let best = bestScore ?? worstScore
    guard !isBetter(mode == .minimum ? score + minimumDelta : score - minimumDelta, than: best) else {
      bestScore = score
      waitCount = 0
      return nil
    }
    waitCount += 1
    guard waitCount >= patience else { return nil }
    return "\(monitor) did not improve on \(best) in the last \(waitCount) \(waitCount == 1 ? "check" : "checks")"
  }

  private var worstScore: Double { mode == .minimum ? .infinity : -.infinity }

  private func isBetter(_ score: Double, than other: Double) -> Bool {
    mode == .minimum ? score < other : score > other
  }

  public override func state() -> ArchiveDictionary {
    [
      "wait_count": .int(waitCount), "stopped_epoch": .int(stoppedEpoch),
      "best_score": .tensor(Tensor(bestScore ?? worstScore, dtype: .float64)), "patience": .int(patience),
    ]
  }

  public override func load(_ state: ArchiveDictionary) throws {
    waitCount = state["wait_count"]?.intValue ?? 0
    stoppedEpoch = state["stopped_epoch"]?.intValue ?? 0
    let score = try state["best_score"]?.tensorValue?.scalar()
    bestScore = score == worstScore ? nil : score
  }
}

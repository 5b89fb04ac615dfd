public import Torch

/// Measures the time of each stage, and ends training when it is over.
///
/// The decision is rank 0's. A resumed run counts the time of the runs before it.
public final class Timer: Callback {
  /// The time that training may take; nil to measure only.
  public let duration: Duration?
  /// Whether the time is looked at after every step or after every epoch.
  public let interval: OptimizerPlan.Interval
  private var starts: [Stage: ContinuousClock.Instant] = [:]
  private var ends: [Stage: ContinuousClock.Instant] = [:]
  private var timeBefore = Duration.zero
  private var isOver = false

  /// - Parameters:
  ///   - duration: the time that training may take.
  ///   - interval: when it is looked at.
  public init(duration: Duration? = nil, interval: OptimizerPlan.Interval = .step) {
    self.duration = duration
    self.interval = interval
  }

  /// The time that a stage has taken so far; zero before its start.
  public func elapsed(_ stage: Stage = .fit) -> Duration {
    guard let start = starts[stage] else { return stage == .fit ? timeBefore : .zero }
    return (ends[stage] ?? .now) - start + (stage == .fit ? timeBefore : .zero)
  }

  /// The time that training may still take; nil without a limit.
  public var remaining: Duration? { duration.map { $0 - elapsed() } }

  public override func setup(_ trainer: Trainer, _ stage: Stage) throws {
    if let duration, duration < .zero {
      throw ConfigurationError(
        "Timer", "Timer: duration is \(duration)", suggestion: "give a duration of zero or more")
    }
    guard stage == .fit else { return }
    (starts[.fit], ends[.fit], timeBefore) = (nil, nil, .zero)
  }

  /// A resumed run may have no time left.
  public override func onTrainStart(_ trainer: Trainer) throws {
    begin(.fit)
    try check(trainer)
  }

  public override func onTrainEnd(_ trainer: Trainer) { ends[.fit] = .now }
  public override func onValidationStart(_ trainer: Trainer) { if trainer.stage == .validate { begin(.validate) } }
  public override func onValidationEnd(_ trainer: Trainer) { if trainer.stage == .validate { ends[.validate] = .now } }
  public override func onTestStart(_ trainer: Trainer) { begin(.test) }
  public override func onTestEnd(_ trainer: Trainer) { ends[.test] = .now }
  public override func onPredictStart(_ trainer: Trainer) { begin(.predict) }
  public override func onPredictEnd(_ trainer: Trainer) { ends[.predict] = .now }

  private func begin(_ stage: Stage) {
    starts[stage] = .now
    ends[stage] = nil
    if stage == .fit { isOver = false }
  }

  public override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {
    if interval == .step { try check(trainer) }
  }

  public override func onTrainEpochEnd(_ trainer: Trainer) throws {
    if interval == .epoch { try check(trainer) }
  }

  private func check(_ trainer: Trainer) throws {
    guard let duration, !isOver else { return }
    guard try trainer.strategy.broadcast(number: elapsed() >= duration ? 1 : 0) == 1 else { return }
    isOver = true
    trainer.shouldStop = true
    trainer.announce("timer: the \(duration.formattedSeconds) of training are over")
  }

  public override func state() -> ArchiveDictionary {
    var elapsed = ArchiveDictionary()
    for (stage, name) in [(Stage.fit, "train"), (.validate, "validate"), (.test, "test"), (.predict, "predict")] {
      elapsed[name] = .double(self.elapsed(stage).seconds)
    }
    return ["time_elapsed": .dictionary(elapsed)]
  }

  public override func load(_ state: ArchiveDictionary) throws {
    timeBefore = .seconds(state["time_elapsed"]?.dictionaryValue?["train"]?.doubleValue ?? 0)
    (starts[.fit], ends[.fit]) = (nil, nil)
  }
}

extension Duration {
  fileprivate var formattedSeconds: String { TrainingDuration.time(seconds).description }
}

public import Torch

/// Keeps the last state of training and the best ones by a metric.
///
/// ```swift
/// let best = ModelCheckpoint(monitor: "val/loss", keep: 3, fileName: "{epoch}-{val/loss:.3f}")
/// let hourly = ModelCheckpoint(keep: -1, everyInterval: .seconds(3600))
/// let trainer = try Trainer(callbacks: [best, hourly])
/// try trainer.fit(model, data)
/// try trainer.test(model, data, from: best.bestPath)      // or from: "best", "last"
/// ```
///
/// With a monitor the best `keep` states are files named by `fileName`, such as `epoch=3-step=188.ckpt`; `last.ckpt` holds
/// the newest state. A file of another run is not overwritten: the new one gets `-v1`, `-v2`, ... after its name. The
/// decisions are those of rank 0. Several of these callbacks in one trainer differ in monitor, mode or in when they save.
public final class ModelCheckpoint: Callback {
  public enum Mode: String, Sendable, CaseIterable {
    case minimum, maximum
  }

  /// A kept checkpoint and its metric.
  public struct Kept: Sendable {
    public let path: String
    public let score: Double
  }

  /// Where files go; nil for `checkpoints` in the trainer's output folder.
  public internal(set) var directory: String?
  public let monitor: String?
  public let mode: Mode
  /// How many of the best are kept; -1 for all.
  public let keep: Int
  /// Whether `last.ckpt` is written.
  public let saveLast: Bool
  /// Whether files hold the weights alone, without what is needed to go on training.
  public let saveWeightsOnly: Bool
  /// The template of the names of the kept files.
  public let fileName: String
  /// Save after every so many epochs; 0 for never.
  public let everyEpochs: Int
  /// Save after every so many steps; nil for never.
  public let everySteps: Int?
  /// Save when so much time has passed since the last time; nil for never.
  public let everyInterval: Duration?
  /// Whether the state is judged at the end of an epoch; otherwise after each validation.
  public let saveOnTrainEpochEnd: Bool?
  public let saveOnException: Bool
  /// Whether files of other runs are left alone by counting versions; otherwise they are overwritten.
  public let enableVersionCounter: Bool
  let insertsMetricNames: Bool

  /// The kept ones, the best first. Without a monitor none.
  public internal(set) var best: [Kept] = []
  public internal(set) var lastPath: String?
  /// The best checkpoint; without a monitor the newest of those that are named by `fileName`.
  public internal(set) var bestPath: String?
  public var bestScore: Double? { best.first?.score }
  /// The worst of the kept ones when there are as many as may be kept: what a new one has to beat.
  public var kthBest: Kept? { keep > 0 && best.count == keep ? best.last : nil }
  /// The score that was judged last.
  public internal(set) var currentScore: Double?

  var template: CheckpointFileName?
  /// The step whose state was written last.
  var savedStep = -1
  /// Where it was written as one of the best.
  var savedPath: String?
  var hasValidated = false
  /// Whether a score is to be judged as soon as validation has computed it.
  var isDeferred = false
  /// Whether the validation at the end of the epoch asked for a checkpoint.
  private var savesAtEpochEnd = false
  var hasWarned = false
  var lastTime = ContinuousClock.now

  /// - Parameters:
  ///   - directory: where files go; `checkpoints` in the trainer's output folder when left out.
  ///   - monitor: the metric to judge by, such as `val/accuracy`; nil to judge nothing.
  ///   - keep: how many of the best to keep; 0 for none, -1 for all. Without a monitor 1 keeps the newest under its name
  ///     and -1 all. When left out 1 with a monitor, and none without one unless `saveLast` is off.
  ///   - saveWeightsOnly: write no optimizer states and the like: smaller files, from which no training can be resumed.
  ///   - fileName: with fields for `epoch`, `step` and metrics, and Python's formats: `{epoch:02d}-{val/loss:.2f}`.
  ///   - insertMetricNames: write `val_loss=0.12` for a field, not only `0.12`.
  ///   - everyEpochs: 1 when nothing else is said; 0 for not at the end of epochs.
  ///   - everySteps: at least 1.
  ///   - everyInterval: more than zero.
  ///   - saveOnTrainEpochEnd: judge at the end of each epoch (`true`) or after each validation (`false`). When left out at
  ///     the end of the epoch, unless validation runs several times in an epoch.
  ///   - saveOnException: write the state when the run fails.
  ///   - enableVersionCounter: count versions instead of overwriting files of other runs.
  public init(
    directory: String? = nil, monitor: String? = nil, mode: Mode = .minimum, keep: Int? = nil, saveLast: Bool = true,
    saveWeightsOnly: Bool = false, fileName: String? = nil, insertMetricNames: Bool = true, everyEpochs: Int? = nil,
    everySteps: Int? = nil, everyInterval: Duration? = nil, saveOnTrainEpochEnd: Bool? = nil,
    saveOnException: Bool = false, enableVersionCounter: Bool = true
  ) {
    self.directory = directory
    self.monitor = monitor
    self.mode = mode
    self.keep = keep ?? (monitor != nil || !saveLast ? 1 : 0)
    self.saveLast = saveLast
    self.saveWeightsOnly = saveWeightsOnly
    self.fileName = fileName ?? CheckpointFileName.usual
    insertsMetricNames = insertMetricNames
    self.everyEpochs = everyEpochs ?? (everySteps == nil && everyInterval == nil ? 1 : 0)
    self.everySteps = everySteps
    self.everyInterval = everyInterval
    self.saveOnTrainEpochEnd = saveOnTrainEpochEnd
    self.saveOnException = saveOnException
    self.enableVersionCounter = enableVersionCounter
  }

  /// The name of Lightning's callback with the same settings.
  public override var stateKey: String { lightningKey }
  public override var isMonitoring: Bool { true }
  public override func state() -> ArchiveDictionary { archive }
  public override func load(_ state: ArchiveDictionary) throws { try restore(state) }

  public override func adopt(_ state: ArchiveDictionary) throws {
    directory = state["dirpath"]?.stringValue ?? directory
    try load(state)
  }

  public override func setup(_ trainer: Trainer, _ stage: Stage) throws {
    try check(trainer)
    template = try CheckpointFileName(fileName, insertsNames: insertsMetricNames)
    directory = Folder.absolute(directory ?? trainer.defaultCheckpointDirectory)
    guard stage == .fit else { return }
    best = []
    bestPath = nil
    currentScore = nil
    savedStep = -1
    savedPath = nil
    hasValidated = false
    isDeferred = false
    savesAtEpochEnd = false
    hasWarned = false
  }

  private func check(_ trainer: Trainer) throws {
    if keep < -1 || everyEpochs < 0 || (everySteps ?? 1) < 1 || (everyInterval ?? .seconds(1)) <= .zero {
      throw ConfigurationError(
        "ModelCheckpoint",
        "keep: \(keep), everyEpochs: \(everyEpochs), everySteps: \(everySteps.map(String.init) ?? "nil"), everyInterval: "
          + (everyInterval.map { "\($0)" } ?? "nil"),
        suggestion: "give keep: -1 (all) or more, everyEpochs: 0 or more, everySteps: 1 or more and a positive interval"
      )
    }
    if monitor == nil && keep > 1 {
      throw ConfigurationError(
        "ModelCheckpoint", "keep: \(keep) without a monitor: there is nothing to say which are the best",
        suggestion: "name the metric with monitor:, or give keep: 1 (the newest) or -1 (all)")
    }
    if trainer.callbacks.contains(where: { $0 !== self && $0.stateKey == stateKey }) {
      throw ConfigurationError(
        "ModelCheckpoint", "there are two \(stateKey), whose states in a checkpoint could not be told apart",
        suggestion: "leave one out, or let them differ in monitor, mode or in when they save")
    }
  }

  public override func onTrainStart(_ trainer: Trainer) { lastTime = .now }

  public override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {
    let step = trainer.progress.globalStep
    guard trainer.isStepBoundary, step != savedStep else { return }
    var isDue = everySteps.map { step % $0 == 0 } ?? false
    if let everyInterval {
      // The clocks of the ranks differ: that of rank 0 decides.
      let isTime = try trainer.strategy.broadcast(number: ContinuousClock.now - lastTime >= everyInterval ? 1 : 0) == 1
      if isTime { lastTime = .now }
      isDue = isDue || isTime
    }
    if isDue { try save(trainer, isEpochEnd: false) }
  }

  public override func onValidationEnd(_ trainer: Trainer) throws {
    guard trainer.stage == .fit, !trainer.isSanityChecking else { return }
    hasValidated = true
    let isDue = isDueInEpoch(trainer.progress.epoch + 1) && !savesOnTrainEpochEnd(trainer)
    guard isDeferred || isDue else { return }
    if trainer.progress.batch == trainer.layout?.batchCount {
      // The epoch is as good as over: a checkpoint of its end is the better one to resume from.
      savesAtEpochEnd = true
    } else {
      try save(trainer, isEpochEnd: false)
    }
  }

  public override func onTrainEpochEnd(_ trainer: Trainer) throws {
    guard savesAtEpochEnd || savesOnTrainEpochEnd(trainer) && isDueInEpoch(trainer.progress.epoch) else { return }
    savesAtEpochEnd = false
    try save(trainer, isEpochEnd: true)
  }

  public override func onTrainEnd(_ trainer: Trainer) throws {
    guard saveLast, trainer.progress.globalStep != savedStep else { return }
    try save(trainer, isEpochEnd: false, onlyLast: true)
  }

  public override func onInterrupt(_ trainer: Trainer) throws {
    guard saveLast else { return }
    if trainer.stopsTogether { return try save(trainer, isEpochEnd: false, onlyLast: true) }
    let decision = decide(trainer, isEpochEnd: false, onlyLast: true)
    lastPath = decision.lastPath
    try trainer.saveAlone(to: decision.paths, weightsOnly: saveWeightsOnly)
  }

  public override func onException(_ trainer: Trainer, _ error: any Error) {
    guard saveOnException, trainer.isGlobalZero, trainer.stage == .fit, !trainer.isSanityChecking,
      trainer.progress.globalStep != savedStep, trainer.progress.globalStep > 0
    else { return }
    guard trainer.strategy.isWholeOnRankZero else {
      let newest = savedStep < 0 ? nil : savedPath ?? lastPath
      return trainer.announce(
        "note: the state before the failure cannot be saved: every rank holds a part of it, and after a failure the "
          + "others cannot be asked for theirs; "
          + (newest.map { "the newest checkpoint is \($0)" } ?? "there is no earlier checkpoint, see everySteps"))
    }
    var decision = decide(trainer, isEpochEnd: false, onlyLast: true)
    if keep != 0 { decision.path = path(trainer, isOwn: { $0 == self.bestPath }) }
    do {
      lastPath = decision.lastPath ?? lastPath
      try trainer.saveAlone(to: decision.paths, weightsOnly: saveWeightsOnly)
      trainer.announce("note: the state before the failure is in \(decision.paths.joined(separator: " and "))")
    } catch {
      trainer.announce("note: the state before the failure cannot be saved: \(error)")
    }
  }

  private func isDueInEpoch(_ epoch: Int) -> Bool { everyEpochs > 0 && epoch % everyEpochs == 0 }

  private func savesOnTrainEpochEnd(_ trainer: Trainer) -> Bool {
    saveOnTrainEpochEnd ?? (trainer.settings.validationInterval == .all && trainer.settings.validateEveryEpochs != nil)
  }
}

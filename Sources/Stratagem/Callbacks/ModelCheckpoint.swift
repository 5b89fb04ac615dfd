internal import Glibc
public import Torch

/// Keeps the last state of training and the best ones by a metric.
///
/// With a monitor the best `keep` checkpoints are files named like `epoch=3-step=188.ckpt`; `last.ckpt` always holds the
/// newest state. The decisions are those of rank 0.
public final class ModelCheckpoint: Callback {
  public enum Mode: String, Sendable {
    case minimum, maximum
  }

  /// A kept checkpoint and its metric.
  public struct Kept: Sendable {
    public let path: String
    public let score: Double
  }

  /// Where files go; nil for `checkpoints` in the trainer's output folder.
  public private(set) var directory: String?
  public let monitor: String?
  public let mode: Mode
  /// How many of the best are kept; -1 for all.
  public let keep: Int
  /// Whether `last.ckpt` is written.
  public let saveLast: Bool
  /// Save after every so many epochs.
  public let everyEpochs: Int
  /// Save after every so many steps as well; nil for epochs only.
  public let everySteps: Int?

  /// The best first.
  public private(set) var best: [Kept] = []
  public private(set) var lastPath: String?
  public var bestPath: String? { best.first?.path }
  public var bestScore: Double? { best.first?.score }
  private var savedStep = -1
  private var hasJudged = false

  /// - Parameters:
  ///   - monitor: the metric to judge by, such as `val/accuracy`; nil to keep only the last state.
  ///   - keep: how many of the best to keep; 0 for none, -1 for all.
  ///   - everyEpochs: at least 1.
  ///   - everySteps: at least 1.
  public init(
    directory: String? = nil, monitor: String? = nil, mode: Mode = .minimum, keep: Int = 1, saveLast: Bool = true,
    everyEpochs: Int = 1, everySteps: Int? = nil
  ) {
    self.directory = directory
    self.monitor = monitor
    self.mode = mode
    self.keep = keep
    self.saveLast = saveLast
    self.everyEpochs = everyEpochs
    self.everySteps = everySteps
  }

  public override var stateKey: String {
    "ModelCheckpoint{'monitor': \(monitor.map { "'\($0)'" } ?? "None"), 'mode': '\(mode == .minimum ? "min" : "max")'}"
  }

  public override func setup(_ trainer: Trainer, _ stage: Stage) throws {
    if keep < -1 || everyEpochs < 1 || (everySteps ?? 1) < 1 {
      throw ConfigurationError(
        "ModelCheckpoint", "keep: \(keep), everyEpochs: \(everyEpochs), everySteps: \(everySteps ?? 1)",
        suggestion: "give keep: -1 (all) or more, and at least 1 for everyEpochs and everySteps")
    }
    directory = directory ?? trainer.outputDirectory + "/checkpoints"
    guard stage == .fit else { return }
    best = []
    savedStep = -1
    hasJudged = false
  }

  public override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {
    let step = trainer.progress.globalStep
    guard let everySteps, trainer.isStepBoundary, step % everySteps == 0, step != savedStep else { return }
    try save(trainer, judged: false)
  }

  public override func onTrainEpochEnd(_ trainer: Trainer) throws {
    guard trainer.progress.epoch % everyEpochs == 0 else { return }
    try save(trainer, judged: true)
  }

  public override func onTrainEnd(_ trainer: Trainer) throws {
    if let monitor, keep != 0, !hasJudged {
      let known = trainer.callbackMetrics.keys.sorted().joined(separator: ", ")
      trainer.announce(
        "note: ModelCheckpoint monitors '\(monitor)', which was never logged; known: \(known.isEmpty ? "none" : known)")
    }
    if trainer.progress.globalStep != savedStep { try save(trainer, judged: false) }
  }

  public override func onInterrupt(_ trainer: Trainer) throws {
    guard saveLast, let directory else { return }
    lastPath = directory + "/last.ckpt"
    try trainer.saveCheckpoint(to: directory + "/last.ckpt", alone: true)
  }

  private func save(_ trainer: Trainer, judged: Bool) throws {
    guard let directory else { return }
    savedStep = trainer.progress.globalStep
    let checkpointPath = judged ? try rank(trainer, in: directory) : nil
    if saveLast { lastPath = directory + "/last.ckpt" }
    let paths = [checkpointPath, saveLast ? lastPath : nil].compactMap { $0 }
    if !paths.isEmpty { try trainer.saveCheckpoint(to: paths) }
    while keep >= 0, best.count > keep { try trainer.strategy.removeCheckpoint(at: best.removeLast().path) }
  }

  /// Enters the present state among the best by the score of rank 0; returns its path when it is one of them.
  private func rank(_ trainer: Trainer, in directory: String) throws -> String? {
    guard let monitor, keep != 0 else { return nil }
    // A metric from an earlier epoch does not describe this state.
    let isFresh = trainer.metricSteps[monitor] == trainer.progress.globalStep
    guard let score = try trainer.strategy.broadcast(number: isFresh ? trainer.callbackMetrics[monitor] : nil) else {
      return nil
    }
    hasJudged = true
    guard !score.isNaN, keep < 0 || best.count < keep || isBetter(score, than: best[best.count - 1].score) else {
      return nil
    }
    let path = "\(directory)/epoch=\(trainer.progress.epoch - 1)-step=\(trainer.progress.globalStep).ckpt"
    best.removeAll { $0.path == path }
    let place = best.firstIndex { isBetter(score, than: $0.score) } ?? best.count
    best.insert(Kept(path: path, score: score), at: place)
    return path
  }

  private func isBetter(_ score: Double, than other: Double) -> Bool {
    mode == .minimum ? score < other : score > other
  }

  public override func state() -> ArchiveDictionary {
    var scores = ArchiveDictionary()
    for kept in best { scores[kept.path] = .tensor(Tensor(kept.score, dtype: .float64)) }
    return [
      "monitor": monitor.map { .string($0) } ?? .none,
      "best_model_score": best.first.map { .tensor(Tensor($0.score, dtype: .float64)) } ?? .none,
      "best_model_path": .string(bestPath ?? ""),
      "current_score": .none,
      "dirpath": directory.map { .string($0) } ?? .none,
      "best_k_models": .dictionary(scores),
      "kth_best_model_path": .string(best.last?.path ?? ""),
      "kth_value": best.last.map { .tensor(Tensor($0.score, dtype: .float64)) } ?? .none,
      "last_model_path": .string(lastPath ?? ""),
    ]
  }

  public override func adopt(_ state: ArchiveDictionary) throws {
    directory = state["dirpath"]?.stringValue ?? directory
    try load(state)
  }

  public override func load(_ state: ArchiveDictionary) throws {
    guard state["dirpath"]?.stringValue == directory, let scores = state["best_k_models"]?.dictionaryValue else {
      return
    }
    best = try scores.compactMap { key, value in
      guard case .string(let path) = key, case .tensor(let score) = value, Folder.exists(path) else { return nil }
      return Kept(path: path, score: try score.scalar())
    }
    best.sort { isBetter($0.score, than: $1.score) }
    lastPath = state["last_model_path"]?.stringValue
  }
}

internal import Torch

/// The state in a checkpoint, under Lightning's names.
extension ModelCheckpoint {
  var lightningKey: String {
    let interval =
      everyInterval.map { interval in
        let (days, seconds) = interval.components.seconds.quotientAndRemainder(dividingBy: 86_400)
        let parts = [
          ("days", days), ("seconds", seconds), ("microseconds", interval.components.attoseconds / 1_000_000_000_000),
        ]
        return "datetime.timedelta(\(parts.filter { $0.1 != 0 }.map { "\($0.0)=\($0.1)" }.joined(separator: ", ")))"
      } ?? "None"
    return
      "ModelCheckpoint{'monitor': \(monitor.map { "'\($0)'" } ?? "None"), 'mode': '\(mode == .minimum ? "min" : "max")', "
      + "'every_n_train_steps': \(everySteps ?? 0), 'every_n_epochs': \(everyEpochs), 'train_time_interval': \(interval)}"
  }

  var archive: ArchiveDictionary {
    func number(_ score: Double?) -> ArchiveValue { score.map { .tensor(Tensor($0, dtype: .float64)) } ?? .none }
    var scores = ArchiveDictionary()
    for kept in best { scores[kept.path] = number(kept.score) }
    return [
      "monitor": monitor.map { .string($0) } ?? .none,
      "best_model_score": number(bestScore),
      "best_model_path": .string(bestPath ?? ""),
      "current_score": number(currentScore),
      "dirpath": directory.map { .string($0) } ?? .none,
      "best_k_models": .dictionary(scores),
      "kth_best_model_path": .string(kthBest?.path ?? ""),
      "kth_value": number(kthBest?.score),
      "last_model_path": .string(lastPath ?? ""),
    ]
  }

  /// Takes over what ``archive`` or Lightning's callback of the same settings holds. The list of the best is that of
  /// the files in this callback's folder that still exist; from a run in another folder only the best path is kept.
  func restore(_ state: ArchiveDictionary) throws {
    func text(_ key: String) -> String? { state[key]?.stringValue.flatMap { $0.isEmpty ? nil : $0 } }
    bestPath = text("best_model_path")
    guard let saved = text("dirpath"), let directory, Folder.resolved(saved) == Folder.resolved(directory) else {
      return
    }
    best = try (state["best_k_models"]?.dictionaryValue ?? [:]).compactMap { key, value in
      guard case .string(let path) = key, case .tensor(let score) = value, Folder.exists(path) else { return nil }
      return Kept(path: path, score: try score.scalar())
    }
    best.sort { isBetter($0.score, than: $1.score) }
    if monitor != nil, !best.isEmpty { bestPath = best.first?.path }
    // The file of the run that goes on here, though it may have been written after this state.
    let last = directory + "/last.ckpt"
    lastPath = text("last_model_path") ?? (Folder.exists(last) ? last : nil)
    currentScore = try state["current_score"]?.tensorValue?.scalar()
  }
}

extension ModelCheckpoint {
  /// What rank 0 has decided, for all ranks.
  struct Decision: Codable {
    /// The file for the state as one of the best.
    var path: String?
    var lastPath: String?
    /// The score to enter among the best.
    var score: Double?
    /// Whether there is no score yet, so that the one of the next validation has to be judged.
    var isDeferred = false
    /// What makes the run fail.
    var problem: String?

    var paths: [String] { [path, lastPath].compactMap { $0 } }
  }

  /// Writes what there is to write of the present state. Called on all ranks.
  func save(_ trainer: Trainer, isEpochEnd: Bool, onlyLast: Bool = false) throws {
    let own = trainer.isGlobalZero ? decide(trainer, isEpochEnd: isEpochEnd, onlyLast: onlyLast) : Decision()
    let decision = try trainer.strategy.broadcast(own)
    if let problem = decision.problem {
      throw ConfigurationError(
        "monitor", "ModelCheckpoint monitors '\(monitor ?? "")', which was never logged; \(problem)",
        suggestion: "log it in the module, or name one of those")
    }
    isDeferred = decision.isDeferred
    savedStep = trainer.progress.globalStep
    savedPath = decision.path
    let removed = enter(decision)
    lastPath = decision.lastPath ?? lastPath
    if !decision.paths.isEmpty { try trainer.saveCheckpoint(to: decision.paths, weightsOnly: saveWeightsOnly) }
    for path in removed where path != trainer.resumedPath { try trainer.strategy.removeCheckpoint(at: path) }
  }

  /// Decides what to do with the present state. Called on rank 0.
  func decide(_ trainer: Trainer, isEpochEnd: Bool, onlyLast: Bool) -> Decision {
    var decision = Decision()
    if saveLast {
      // A resumed run goes on with the file that it was resumed from.
      decision.lastPath = free("last", trainer) { $0 == self.lastPath || $0 == trainer.resumedPath }
    }
    guard !onlyLast, keep != 0 else { return decision }
    guard let monitor else {
      decision.path = path(trainer, isOwn: { self.keep == 1 && $0 == self.bestPath })
      return decision
    }
    guard let score = freshScore(trainer, monitor) else {
      decision.isDeferred = isDeferred || !isEpochEnd
      if isEpochEnd && trainer.callbackMetrics[monitor] == nil { missing(monitor, trainer, &decision) }
      return decision
    }
    currentScore = score
    // A state without a score is worse than any other.
    let comparable = score.isNaN ? (mode == .minimum ? .infinity : -.infinity) : score
    if let kthBest, !isBetter(comparable, than: kthBest.score) { return decision }
    decision.score = comparable
    decision.path = path(trainer, isOwn: { $0 == self.kthBest?.path })
    return decision
  }

  /// The metric when it describes the present state; nil for that of an earlier epoch.
  private func freshScore(_ trainer: Trainer, _ monitor: String) -> Double? {
    guard let score = trainer.callbackMetrics[monitor] else { return nil }
    // A metric of single batches has no step of its own: it is that of the last batch.
    guard let step = trainer.metricSteps[monitor] else { return score }
    return step == trainer.progress.globalStep ? score : nil
  }

  /// The metric was never logged: an error once everything that could have logged it has run.
  private func missing(_ monitor: String, _ trainer: Trainer, _ decision: inout Decision) {
    let known = trainer.callbackMetrics.keys.sorted().joined(separator: ", ")
    let text = "known: \(known.isEmpty ? "none" : known)"
    if hasValidated {
      decision.problem = text
    } else if !hasWarned {
      hasWarned = true
      trainer.announce("note: ModelCheckpoint monitors '\(monitor)', which has not been logged yet; \(text)")
    }
  }

  func isBetter(_ score: Double, than other: Double) -> Bool {
    mode == .minimum ? score < other : score > other
  }

  /// Enters a state among the best; returns the files that have to go.
  private func enter(_ decision: Decision) -> [String] {
    guard let path = decision.path else { return [] }
    guard let score = decision.score else {
      defer { bestPath = path }
      return keep == 1 ? [bestPath].compactMap { $0 }.filter { $0 != path } : []
    }
    currentScore = score
    best.removeAll { $0.path == path }
    let place = best.firstIndex { isBetter(score, than: $0.score) } ?? best.count
    best.insert(Kept(path: path, score: score), at: place)
    let surplus = keep < 0 ? [] : best.dropFirst(keep).map(\.path)
    if keep > 0 { best = Array(best.prefix(keep)) }
    bestPath = best.first?.path
    return surplus
  }

  /// The file for the present state, by the template.
  ///
  /// - Parameter isOwn: whether a file that exists may be replaced.
  func path(_ trainer: Trainer, isOwn: (String) -> Bool) -> String {
    let progress = trainer.progress
    let name =
      template?.text(epoch: progress.lightningEpoch, step: progress.globalStep, metrics: trainer.callbackMetrics)
      ?? "last"
    // The state may have been written already after this step, by another of the reasons to save.
    let written = savedStep == progress.globalStep ? savedPath : nil
    return free(name, trainer) { $0 == written || isOwn($0) }
  }

  /// The first version of a name that no other run's file has.
  private func free(_ name: String, _ trainer: Trainer, isOwn: (String) -> Bool) -> String {
    let start = "\(directory ?? ".")/\(name)"
    var candidate = start + ".ckpt"
    var version = 1
    while enableVersionCounter, !isOwn(candidate), trainer.strategy.storage.exists(at: candidate) {
      candidate = "\(start)-v\(version).ckpt"
      version += 1
    }
    return candidate
  }
}

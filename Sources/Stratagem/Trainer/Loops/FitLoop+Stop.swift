/// When training ends.
extension FitLoop {
  /// Whether training is over: the same answer on all ranks.
  func isStopRequested() -> Bool {
    let progress = trainer.progress
    let settings = trainer.settings
    if trainer.shouldStop, progress.epoch >= settings.minEpochs ?? 0, progress.globalStep >= settings.minSteps ?? 0 {
      return true
    }
    if let maxSteps = settings.maxSteps, progress.globalStep >= maxSteps { return true }
    var isReached = false
    var dependsOnClock = false
    if let until = settings.effectiveUntil {
      var seconds = 0.0
      if case .time = until {
        seconds = elapsedSeconds
        dependsOnClock = true
      }
      isReached = until.isReached(
        epochs: progress.epoch, steps: progress.globalStep, samples: progress.samples, seconds: seconds)
    }
    if isReached && !dependsOnClock { return true }
    if let maxTime = settings.maxTime {
      dependsOnClock = true
      isReached = isReached || ContinuousClock.now - fitStart >= maxTime
    }
    guard dependsOnClock, strategy.worldSize > 1 else { return isReached }
    // The clocks of the ranks differ: the first one to be done ends it for all. Without an answer there is no going on.
    return (try? strategy.reduceDecision(isReached, all: false)) ?? true
  }

  private var elapsedSeconds: Double { trainer.progress.seconds + (ContinuousClock.now - clockStart).seconds }

  /// The seconds since the last call.
  func takeSeconds() -> Double {
    defer { clockStart = .now }
    return (ContinuousClock.now - clockStart).seconds
  }

  /// Ends the run when a signal asked for it, with the time up to now in what is saved. Called on all ranks after steps.
  func stopIfInterrupted() throws {
    let asked = InterruptMonitor.shared.signal
    if let agreement {
      guard let signal = try agreement.signal(asked) else { return }
      trainer.progress.seconds += takeSeconds()
      try trainer.stop(signal)
    }
    guard asked != nil else { return }
    trainer.progress.seconds += takeSeconds()
    try trainer.stopIfInterrupted()
  }

  /// Where no rank can save alone, all of them have to stop after the same step.
  func prepareToStopTogether() {
    guard strategy.stopsTogether, let group = (strategy as? ParallelStrategy)?.group else { return }
    agreement = StopAgreement(group)
    trainer.stopsTogether = true
  }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

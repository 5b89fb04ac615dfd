internal import Torch

/// What travels to the main process when a call ran in processes of its own.
extension Trainer {
  /// A process that was started for a call: what rank 0 shows goes to the main process, line by line.
  func becomeWorker() {
    let mode: ProgressBar.Mode = progressBar.mode == .interactive ? .plain : progressBar.mode
    progressBar = ProgressBar(mode: isGlobalZero ? mode : .silent)
    hasAnnouncedPlan = true
  }

  /// The state of this process after a call, or where it ended early. Called on all ranks.
  func carriedState(of module: AnyLightningModule, output: ArchiveValue) throws -> ArchiveValue {
    var state = ArchiveDictionary()
    let weights = strategy.module == nil ? module.stateDictionary() : try strategy.moduleState()
    state["weights"] = .dictionary(ArchiveDictionary(weights))
    state["generator"] = .tensor(Generator.default.state)
    state["metrics"] = .dictionary(ArchiveDictionary(numbers: callbackMetrics))
    state["metric_steps"] = .dictionary(ArchiveDictionary(numbers: metricSteps.mapValues(Double.init)))
    state["progress"] = .list([
      .int(progress.epoch), .int(progress.globalStep), .int(progress.batch), .int(progress.totalBatches),
      .int(progress.samples), .double(progress.seconds),
    ])
    state["evaluated"] = .int(evaluatedSamples)
    state["has_loggers"] = .bool(hasStartedLoggers)
    state["callbacks"] = .list(callbacks.map { .dictionary($0.carriedState()) })
    state["output"] = output
    return .dictionary(state)
  }

  /// Goes on from the state of another process as if the call had run in this one.
  func adopt(_ state: ArchiveValue, into module: AnyLightningModule) throws {
    guard let state = state.dictionaryValue else { return }
    strategy.connect(module)
    strategy.precision?.convert(module)
    if let weights = state["weights"]?.stateDictionary { try module.load(weights, strict: false) }
    if let generator = state["generator"]?.tensorValue { Generator.default.state = generator }
    callbackMetrics = state["metrics"]?.dictionaryValue?.numbers ?? [:]
    metricSteps = (state["metric_steps"]?.dictionaryValue?.numbers ?? [:]).mapValues { Int($0) }
    let counters = state["progress"]?.listValue ?? []
    if counters.count == 6 {
      progress = TrainingProgress()
      progress.epoch = counters[0].intValue ?? 0
      progress.globalStep = counters[1].intValue ?? 0
      progress.batch = counters[2].intValue ?? 0
      progress.totalBatches = counters[3].intValue ?? 0
      progress.samples = counters[4].intValue ?? 0
      progress.seconds = counters[5].doubleValue ?? 0
    }
    evaluatedSamples = state["evaluated"]?.intValue ?? 0
    hasLoggersToContinue = state["has_loggers"]?.boolValue ?? false
    for (callback, value) in zip(callbacks, state["callbacks"]?.listValue ?? []) {
      if let own = value.dictionaryValue, !own.isEmpty { try callback.adopt(own) }
    }
  }
}

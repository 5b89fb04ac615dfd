internal import Torch

extension Trainer {
  /// Runs one stage in the processes that the strategy's launcher makes.
  func launch<Output>(
    _ stage: Stage, _ module: AnyLightningModule, from path: String?, carrying carrier: OutputCarrier<Output>,
    _ body: @escaping (Checkpoint?) throws -> Output
  ) throws -> Output {
    announcePlan()
    let restoreCallbacks = attachCallbacks(of: module)
    defer { restoreCallbacks() }
    let call = LaunchedCall(stage.rawValue, trainer: self, module: module, from: path, carrier: carrier) {
      call in try self.run(stage, module, call, body)
    }
    return try strategy.launcher.launch(call)
  }

  /// Runs one stage in this process, from connecting the module to the last hook: communication is set up before `body`
  /// and torn down after it, also when it throws.
  private func run<Output>(
    _ stage: Stage, _ module: AnyLightningModule, _ call: LaunchedCall<Output>, _ body: (Checkpoint?) throws -> Output
  ) throws -> Output {
    self.stage = stage
    shouldStop = false
    module.trainer = self
    strategy.connect(module)
    var status = LoggerStatus.failed
    defer {
      progressBar.close()
      if status != .success { try? finalizeLoggers(status) }
      strategy.tearDown()
      module.trainer = nil
      self.stage = nil
    }
    do {
      let result = try InterruptMonitor.shared.watching {
        try strategy.setUpEnvironment()
        try agreeOnCheckpoint(call)
        try continueLoggers()
        let result = try withRuntimeSettings { try withErrorScope { try body(call.checkpoint) } }
        try strategy.finishCheckpoints()
        try call.record(result)
        try strategy.finishRun()
        return result
      }
      status = .success
      try finalizeLoggers(status)
      return result
    } catch {
      if case TrainingError.interrupted = error { status = .interrupted }
      let cause = strategy.launcher.cause(of: strategy.explained(error))
      for callback in callbacks { callback.onException(self, cause) }
      strategy.onException(cause)
      // What is being written is worth keeping, but the error that ended the run is the one to tell.
      try? strategy.finishCheckpoints()
      strategy.launcher.leave(with: cause)
      throw cause
    }
  }

  /// What the ranks begin with has to be the same: a file that is there on some machines only, or an older one, would let
  /// them do different things.
  private func agreeOnCheckpoint<Output>(_ call: LaunchedCall<Output>) throws {
    let all = try strategy.allGather(object: call.checkpoint.map { CheckpointFacts($0, call.path) })
    guard let rank = all.firstIndex(where: { !($0?.isSame(as: all[0]) ?? (all[0] == nil)) }) else { return }
    func text(_ rank: Int) -> String { all[rank]?.description ?? "without a checkpoint" }
    throw ConfigurationError(
      "checkpoint",
      "the ranks do not begin with the same checkpoint: rank \(rank) begins \(text(rank)), and rank 0 \(text(0))",
      suggestion: "use a folder that all machines see, or copy the checkpoint to each of them")
  }

  private func announcePlan() {
    guard !hasAnnouncedPlan else { return }
    announce(plan.description)
    for note in plan.warnings { announce("note: " + note) }
    hasAnnouncedPlan = true
  }

  /// Runs `body` with the settings of libtorch that this trainer was asked for.
  private func withRuntimeSettings<Result>(_ body: () throws -> Result) throws -> Result {
    func inspected() throws -> Result {
      try settings.detectAnomaly ? TorchRuntime.withAnomalyDetection(body) : body()
    }
    guard settings.determinism != .off else { return try inspected() }
    return try TorchRuntime.withDeterministicAlgorithms(warnOnly: settings.determinism == .warn, inspected)
  }

  /// Opens what a fit in other processes has written, so that this run goes on behind it.
  private func continueLoggers() throws {
    guard hasLoggersToContinue, isGlobalZero else { return }
    for logger in loggers { try logger.start(resumingAt: progress.globalStep) }
    hasStartedLoggers = true
    hasLoggersToContinue = false
  }

  /// Adds the module's callbacks for a run, in place of those of the same type; the answer takes them out again.
  private func attachCallbacks(of module: AnyLightningModule) -> () -> Void {
    let given = callbacks
    let added = module.configureCallbacks()
    guard !added.isEmpty else { return {} }
    let kept = given.filter { own in !added.contains { type(of: $0) == type(of: own) } }
    callbacks = settings.ordered(kept + added)
    return { self.callbacks = given }
  }

  private func finalizeLoggers(_ status: LoggerStatus) throws {
    guard isGlobalZero, hasStartedLoggers else { return }
    // After a failure the ranks cannot be asked any more: rank 0's values say what came before it.
    try write(stepRows.drain())
    try flushLooseRows()
    for logger in loggers { try logger.finalize(status: status) }
  }

  /// Forgets what an earlier fit left.
  func beginFit() {
    progress = TrainingProgress()
    callbackMetrics = [:]
    metricSteps = [:]
    isStepBoundary = true
    looseRows = []
    _ = stepRows.drain()
    _ = evaluationRows.drain()
    metrics.end()
  }

  /// Ends the run when a signal asked for it; in a fit rank 0 saves first.
  func stopIfInterrupted() throws {
    guard let signal = InterruptMonitor.shared.signal else { return }
    // The ranks stop together after the next step.
    if stopsTogether { return }
    guard isGlobalZero, stage == .fit else { throw TrainingError.interrupted(signal: signal, checkpoint: nil) }
    try stop(signal)
  }

  /// Ends a fit that a signal asked to stop, after what is to be saved was saved.
  func stop(_ signal: Int) throws -> Never {
    for callback in callbacks { try callback.onInterrupt(self) }
    // Whoever goes on after the error finds the whole module.
    if stopsTogether { try strategy.finishRun() }
    throw TrainingError.interrupted(signal: signal, checkpoint: isGlobalZero ? modelCheckpoint?.lastPath : nil)
  }

  /// Calls a hook on the callbacks, then on the module.
  func call(
    _ callbackHook: (Callback) throws -> Void, _ moduleHook: (AnyLightningModule) throws -> Void
  ) throws {
    for callback in callbacks { try callbackHook(callback) }
    if let module = strategy.module { try moduleHook(module) }
    try metrics.check()
  }
}

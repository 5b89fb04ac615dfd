internal import Glibc
internal import Torch
internal import TorchDistributed

extension Trainer {
  /// Runs one stage from the first process to the last hook: communication is set up before `body` and torn down after
  /// it, also when it throws.
  func run<Result>(_ stage: Stage, _ module: AnyLightningModule, _ body: () throws -> Result) throws -> Result {
    self.stage = stage
    shouldStop = false
    module.trainer = self
    strategy.connect(module)
    if !hasAnnouncedPlan {
      announce(plan.description)
      for note in plan.warnings { announce("note: " + note) }
      hasAnnouncedPlan = true
    }
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
        let result = try withErrorScope(body)
        try strategy.finishRun()
        return result
      }
      status = .success
      try finalizeLoggers(status)
      return result
    } catch {
      if case TrainingError.interrupted = error { status = .interrupted }
      // A worker ends with its report, so its callbacks come first.
      if strategy.rank > 0 { for callback in callbacks { callback.onException(self, error) } }
      let cause = cause(of: error)
      if strategy.rank == 0 { for callback in callbacks { callback.onException(self, cause) } }
      throw cause
    }
  }

  /// Finds whose failure ended the run, and ends the other processes.
  ///
  /// When a process dies, the others see closed connections: such an error of rank 0 is only the echo of a worker's.
  private func cause(of error: any Error) -> any Error {
    let isEcho = isConsequenceOfPeer(error)
    if strategy.rank > 0 {
      WorkerReport(rank: strategy.rank, kind: isEcho ? .communication : .error, message: "\(error)").send()
      if WorkerProcess.isWorker {
        // The supervisor has the report, and the program could only say the same again.
        fflush(nil)
        _exit(1)
      }
      return error
    }
    guard let supervisor = (strategy as? ParallelStrategy)?.supervisor else { return error }
    if isEcho, let failure = supervisor.rootFailure(within: 1) { return failure }
    supervisor.abort()
    return error
  }

  private func isConsequenceOfPeer(_ error: any Error) -> Bool {
    switch error {
    case let error as DistributedError: error.isConsequenceOfPeer
    case let error as TorchError:
      DistributedError(operation: error.operation, rank: nil, message: error.message).isConsequenceOfPeer
    default: false
    }
  }

  private func finalizeLoggers(_ status: LoggerStatus) throws {
    guard isGlobalZero, hasStartedLoggers else { return }
    for logger in loggers { try logger.finalize(status: status) }
  }

  /// Forgets what an earlier fit left.
  func beginFit() {
    progress = TrainingProgress()
    callbackMetrics = [:]
    metricSteps = [:]
    isStepBoundary = true
  }

  /// Ends the run when a signal asked for it; in a fit rank 0 saves first.
  func stopIfInterrupted() throws {
    guard let signal = InterruptMonitor.shared.signal else { return }
    guard isGlobalZero, stage == .fit else { throw TrainingError.interrupted(signal: signal, checkpoint: nil) }
    for callback in callbacks { try callback.onInterrupt(self) }
    throw TrainingError.interrupted(signal: signal, checkpoint: modelCheckpoint?.lastPath)
  }

  /// Calls a hook on the callbacks, then on the module.
  func call(
    _ callbackHook: (Callback) throws -> Void, _ moduleHook: (AnyLightningModule) throws -> Void
  ) throws {
    for callback in callbacks { try callbackHook(callback) }
    if let module = strategy.module { try moduleHook(module) }
  }

  func write(_ rows: [LoggedRow]) throws {
    guard isGlobalZero, hasStartedLoggers else { return }
    for row in rows {
      for logger in loggers { try logger.log(row) }
    }
  }

  /// Keeps a metric that the module logged.
  func record(
    _ name: String, _ number: MetricNumber, on targets: LogTargets?, progressBar: Bool, acrossRanks: Bool,
    sampleCount: Int?
  ) {
    if metrics.isRecording {
      metrics.record(
        name, number, on: targets, progressBar: progressBar, acrossRanks: acrossRanks, sampleCount: sampleCount)
    } else {
      publish([(name, number, progressBar)])
      looseRows.append(
        LoggedRow(epoch: progress.epoch, step: max(0, progress.globalStep - 1), values: [(name, number)]))
    }
  }

  /// Writes the waiting rows of single batches. Called on all ranks after the same batch.
  func flushStepRows() throws {
    try write(stepRows.flush(strategy) + looseRows)
    looseRows.removeAll()
  }

  /// Keeps metrics for callbacks and shows those that are to be shown.
  func publish(_ values: [(name: String, value: MetricNumber, progressBar: Bool)]) {
    for (name, value, progressBar) in values {
      callbackMetrics[name] = value.doubleValue
      metricSteps[name] = progress.globalStep
      if progressBar { self.progressBar.setMetric(name, value.doubleValue) }
    }
  }
}

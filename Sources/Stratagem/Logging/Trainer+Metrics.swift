internal import Torch

/// What happens to metrics between `log` and the loggers.
extension Trainer {
  /// Records a metric, as ``AnyLightningModule/log(_:_:on:reduce:progressBar:logger:acrossRanks:rankZeroOnly:addLoaderIndex:sampleCount:)``
  /// does; for callbacks.
  public func log(
    _ name: String, _ value: some LoggableValue, on targets: LogTargets? = nil,
    reduce reduction: MetricReduction = .mean,
    progressBar: Bool = false, logger: Bool = true, acrossRanks: Bool = true, rankZeroOnly: Bool = false,
    addLoaderIndex: Bool = true, sampleCount: Int? = nil
  ) {
    guard let number = value.metricNumber(name) else { return }
    record(
      name, number,
      LogOptions(
        targets: targets, reduction: reduction, progressBar: progressBar, logger: logger, acrossRanks: acrossRanks,
        rankZeroOnly: rankZeroOnly, addsLoaderIndex: addLoaderIndex), sampleCount: sampleCount)
  }

  /// Whether the rows of the step under way go to the loggers.
  public var isLogStep: Bool {
    settings.logInterval > 0 && (progress.globalStep + 1) % settings.logInterval == 0
  }

  func record(_ name: String, _ number: MetricNumber, _ options: LogOptions, sampleCount: Int?) {
    if let replica = Replica.current {
      return replica.record(
        ReplicaMetric(
          name: name, value: .number(number), options: options, sampleCount: sampleCount ?? replica.sampleCount))
    }
    if options.rankZeroOnly && !isGlobalZero || refusesLogging(name) { return }
    if metrics.isRecording { return metrics.record(name, number, options, sampleCount: sampleCount) }
    keep(name, number.doubleValue)
    if options.progressBar { progressBar.setMetric(name, number.doubleValue) }
    if options.logger {
      looseRows.append(
        LoggedRow(epoch: progress.epoch, step: max(0, progress.globalStep - 1), values: [(name, number)]))
    }
  }

  func record(_ name: String, _ metric: any Metric, _ options: LogOptions) {
    if let replica = Replica.current {
      return replica.record(ReplicaMetric(name: name, value: .metric(metric), options: options, sampleCount: 0))
    }
    if options.rankZeroOnly && !isGlobalZero || refusesLogging(name) { return }
    guard metrics.isRecording else {
      return record(name, .double(metric.compute(metric.state)), options, sampleCount: nil)
    }
    metrics.record(name, metric, options)
  }

  /// Predictions have no metrics.
  private func refusesLogging(_ name: String) -> Bool {
    guard stage == .predict else { return false }
    if metrics.problem == nil {
      metrics.problem = ConfigurationError(
        "log", "'\(name)' is logged during prediction, where nothing is logged",
        suggestion: "log in a training, validation or test step")
    }
    return true
  }

  /// Keeps a metric for callbacks.
  private func keep(_ name: String, _ value: Double) {
    callbackMetrics[name] = value
    metricSteps[name] = progress.globalStep
  }

  /// Takes the values that were logged for the batch at hand since the last call: for callbacks, the progress bar and,
  /// in every `logInterval`-th step, the loggers.
  ///
  /// - Parameters:
  ///   - batch: the number of the batch.
  ///   - step: the step that the batch is part of, counted from 0.
  func collectBatch(_ batch: Int, step: Int) {
    if settings.logInterval > 0, (step + 1) % settings.logInterval == 0 {
      stepRows.append(epoch: progress.epoch, step: step, batch: batch, from: metrics, isGlobalZero: isGlobalZero)
    }
    showBatch()
  }

  /// Does the same for a batch of an evaluation. The ranks may have different numbers of them, so the rows are those of
  /// rank 0.
  func collectEvaluationBatch() throws {
    if !isSanityChecking, isGlobalZero {
      evaluationRows.append(
        epoch: progress.epoch, step: evaluatedBatches, batch: evaluatedBatches, from: metrics, isGlobalZero: true)
      evaluatedBatches += 1
      if evaluatedBatches % Trainer.batchesPerFlush == 0 { try write(evaluationRows.drain()) }
    }
    showBatch()
  }

  private func showBatch() {
    for entry in metrics.entries where entry.isFresh {
      entry.isFresh = false
      guard entry.targets.contains(.step), !isSanityChecking, !entry.isNeutral else { continue }
      let value = entry.value.doubleValue
      callbackMetrics[entry.name] = value
      if entry.targets.contains(.epoch) { callbackMetrics[entry.stepName] = value }
      if entry.options.progressBar { progressBar.setMetric(entry.stepName, value) }
    }
  }

  /// Brings what was logged for the epoch to the loggers, the progress bar and the callbacks. Called on all ranks.
  ///
  /// - Returns: the metrics under the names that callbacks know.
  @discardableResult
  func settleEpoch() throws -> [String: Double] {
    let results = try metrics.results(strategy)
    try write(evaluationRows.drain())
    guard !isSanityChecking else { return [:] }
    let values = results.filter(\.logger).map { (name: $0.epochName, value: MetricNumber.double($0.value)) }
    if !values.isEmpty {
      try write([LoggedRow(epoch: metrics.epoch, step: max(0, progress.globalStep - 1), values: values)])
    }
    var known: [String: Double] = [:]
    for result in results {
      for name in [result.name, result.epochName] {
        keep(name, result.value)
        known[name] = result.value
      }
      if result.progressBar { progressBar.setMetric(result.epochName, result.value) }
    }
    return known
  }

  // MARK: To the loggers

  func write(_ rows: [LoggedRow]) throws {
    guard isGlobalZero, hasStartedLoggers else { return }
    for row in rows {
      for logger in loggers { try logger.log(row) }
    }
  }

  /// Hands texts and histograms to the loggers, with the present epoch and step.
  func writeExtra(_ body: (any MetricLogger, _ epoch: Int, _ step: Int) throws -> Void) throws {
    guard isGlobalZero, hasStartedLoggers else { return }
    let epoch = metrics.isRecording ? metrics.epoch : progress.epoch
    for logger in loggers { try body(logger, epoch, max(0, progress.globalStep - 1)) }
  }

  /// Writes the waiting rows of single batches. Called on all ranks after the same batch.
  func flushStepRows() throws {
    try metrics.check()
    try write(stepRows.flush(strategy))
    try flushLooseRows()
  }

  /// Writes the rows of values that were logged outside of epochs.
  func flushLooseRows() throws {
    try write(looseRows)
    looseRows.removeAll()
  }
}

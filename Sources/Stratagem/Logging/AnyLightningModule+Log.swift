public import Torch

/// Logging, on the module that is trained.
extension AnyLightningModule {
  /// Records a metric, from a step or a hook.
  ///
  /// In a step, and in the hooks around it, the value belongs to the batch at hand; in hooks between batches, such as
  /// ``onTrainEpochEnd()``, to the epoch. Outside of epochs, as in ``onTrainEnd()``, it is written as rank 0 has it.
  ///
  /// All calls for a name have the same arguments and happen on all ranks; otherwise the run ends with an error that
  /// names the metric.
  ///
  /// - Parameters:
  ///   - name: such as `train/loss`; the same on all ranks.
  ///   - value: one number.
  ///   - targets: a row per batch, a value for the epoch, or both (see ``LogTargets``). Left out: per batch in training,
  ///     per epoch in evaluation and between batches.
  ///   - reduction: how values become one over the epoch and across the ranks.
  ///   - progressBar: show it in the progress bar.
  ///   - logger: give it to the loggers; otherwise it is there for callbacks and the progress bar alone.
  ///   - acrossRanks: write what all ranks say, otherwise what rank 0 says. Values cross the ranks together, at the next
  ///     flush or the end of the epoch, never in this call.
  ///   - rankZeroOnly: record it on rank 0 alone; other ranks need not call. Only rank 0 can monitor it.
  ///   - addLoaderIndex: with several evaluation loaders, write `name/dataloader_idx_0` and so on; otherwise their
  ///     values become one.
  ///   - sampleCount: the weight of the value in a mean; the number of samples of the batch when left out, 1 between
  ///     batches.
  public final func log(
    _ name: String, _ value: some LoggableValue, on targets: LogTargets? = nil,
    reduce reduction: MetricReduction = .mean,
    progressBar: Bool = false, logger: Bool = true, acrossRanks: Bool = true, rankZeroOnly: Bool = false,
    addLoaderIndex: Bool = true, sampleCount: Int? = nil
  ) {
    trainer?.log(
      name, value, on: targets, reduce: reduction, progressBar: progressBar, logger: logger, acrossRanks: acrossRanks,
      rankZeroOnly: rankZeroOnly, addLoaderIndex: addLoaderIndex, sampleCount: sampleCount)
  }

  /// Records several metrics with the same arguments, in the order of their names; see the other `log`.
  public final func log(
    dictionary values: [String: some LoggableValue], on targets: LogTargets? = nil,
    reduce reduction: MetricReduction = .mean, progressBar: Bool = false, logger: Bool = true,
    acrossRanks: Bool = true, rankZeroOnly: Bool = false, addLoaderIndex: Bool = true, sampleCount: Int? = nil
  ) {
    for (name, value) in values.sorted(by: { $0.key < $1.key }) {
      log(
        name, value, on: targets, reduce: reduction, progressBar: progressBar, logger: logger,
        acrossRanks: acrossRanks, rankZeroOnly: rankZeroOnly, addLoaderIndex: addLoaderIndex, sampleCount: sampleCount)
    }
  }

  /// Has a metric object computed at the end of the epoch, from what all ranks have gathered, and then reset.
  ///
  /// - Parameters:
  ///   - metric: the same object in all calls of an epoch.
  ///   - acrossRanks: merge the states of all ranks, otherwise take that of rank 0.
  public final func log(
    _ name: String, _ metric: any Metric, progressBar: Bool = false, logger: Bool = true, acrossRanks: Bool = true,
    rankZeroOnly: Bool = false, addLoaderIndex: Bool = true
  ) {
    var options = LogOptions(targets: .epoch)
    options.progressBar = progressBar
    options.logger = logger
    options.acrossRanks = acrossRanks
    options.rankZeroOnly = rankZeroOnly
    options.addsLoaderIndex = addLoaderIndex
    trainer?.record(name, metric, options)
  }

  /// Gives a text to the loggers that have room for it; of rank 0 alone, at once.
  public final func logText(_ name: String, _ text: String) throws {
    try trainer?.writeExtra { try $0.logText(name, text, epoch: $1, step: $2) }
  }

  /// Gives a histogram of the elements of a tensor to the loggers that have room for it; of rank 0 alone, at once.
  ///
  /// NaN and infinities are left out; a tensor without other elements is not recorded.
  public final func logHistogram(_ name: String, _ tensor: Tensor, buckets: Int = 64) throws {
    guard let trainer, trainer.isGlobalZero, !trainer.loggers.isEmpty,
      let histogram = try Histogram(tensor, buckets: buckets)
    else { return }
    try trainer.writeExtra { try $0.logHistogram(name, histogram, epoch: $1, step: $2) }
  }
}

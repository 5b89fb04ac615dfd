internal import Torch
internal import TorchData

/// The data of a fit: loaders, how many batches there are, and when they are validated.
extension FitLoop {
  /// Asks the data for their loaders. Called on all ranks.
  func loadData() throws {
    let loader = try trainingLoader()
    self.loader = loader
    validation = try validationLoop()
    batchCount = try numberOfBatches(loader)
    trainer.hasValidation = validation != nil
    if case .batches(let interval) = trainer.settings.validationInterval, validation != nil,
      trainer.settings.validateEveryEpochs != nil, interval > batchCount
    {
      throw ConfigurationError(
        "validationInterval", "validationInterval is \(interval) batches, but an epoch has \(batchCount)",
        suggestion: "give at most \(batchCount), or validateEveryEpochs: nil to count batches across epochs")
    }
  }

  /// Asks for new loaders when the trainer's interval says so.
  func reloadIfDue() throws {
    let every = trainer.settings.reloadLoadersEveryEpochs
    let progress = trainer.progress
    guard every > 0, progress.batch == 0, progress.epoch > 0, progress.epoch % every == 0 else { return }
    try loadData()
  }

  private func trainingLoader() throws -> DataLoader<Batch> {
    guard var loader = try withErrorScope({ try data.trainingLoader() }) else {
      throw TrainingError.noData("fit needs training data: override trainingLoader() of \(type(of: data))")
    }
    loader = loader.seeded(trainer.sampleSeed)
    if trainer.settings.overfitBatches != nil { loader = loader.unshuffled() }
    return trainer.distributed(loader, .padded)
  }

  private func numberOfBatches(_ loader: DataLoader<Batch>) throws -> Int {
    let settings = trainer.settings
    let limit = settings.overfitBatches ?? settings.limitTrainBatches
    let name = settings.overfitBatches == nil ? "limitTrainBatches" : "overfitBatches"
    let count = try limit.count(of: loader.batchCount, parameter: name) ?? loader.batchCount
    let all = try strategy.allGather(object: LoaderCounts(batches: count, validation: validation?.loaderCount ?? 0))
    try LoaderCounts.check(all.map(\.validation), "validationLoaders")
    let counts = all.map(\.batches)
    isUneven = counts.contains { $0 != counts[0] }
    if isUneven { try checkUneven(counts) }
    ownBatchCount = count
    if count == 0 {
      throw TrainingError.noData(
        loader.batchCount > 0
          ? "\(name) leaves no batch to train on; give at least 1"
          : "an epoch has no batches: \(loader.sampleCount) samples on each rank, batch size \(loader.batchSize)"
            + (loader.dropLast ? ", and the short last batch is dropped" : "")
            + "; use a smaller batch size or more data")
    }
    let most = counts.max() ?? count
    trainer.layout = BatchLayout(worldSize: strategy.worldSize, batchSize: loader.batchSize, batchCount: most)
    return most
  }

  /// Whether ranks may have different numbers of batches: where the strategy lets those that have no more take part in the
  /// steps of the others, and each has one to begin with.
  private func checkUneven(_ counts: [Int]) throws {
    guard strategy.joinsUnevenData, model.automaticOptimization, strategy.layerSync == nil, !counts.contains(0) else {
      throw TrainingError.unequalBatches(counts: counts)
    }
    trainer.announce(
      "note: the ranks have different numbers of training batches (\(counts.map(String.init).joined(separator: ", "))); a "
        + "rank without further batches contributes zeros to the gradients of the others")
  }

  /// Runs the training step on all batches of an epoch, for layers that keep statistics; nothing is logged or trained.
  func passOverData() throws {
    guard let loader else { return }
    let batches = loader.iterator(epoch: 0)
    let outer = trainer.metrics
    trainer.metrics = MetricStore()
    trainer.metrics.begin(defaultTargets: .epoch, epoch: trainer.progress.epoch)
    defer { trainer.metrics = outer }
    for index in 0..<ownBatchCount {
      guard let loaded = try batches.next() else { return }
      trainer.metrics.beginBatch(samples: loaded.indices.count)
      try withErrorScope {
        try withoutGradients {
          let batch = try strategy.prepared(loaded.batch, for: model, loader: 0)
          let step = BatchStep(model, batch, sampleCount: loaded.indices.count) { [model] in
            try model.trainingStep($0, at: index)
          }
          _ = try strategy.inPrecision(step)
        }
      }
    }
  }

  /// Nil when there is nothing to validate on.
  private func validationLoop() throws -> EvaluationLoop<Batch>? {
    // Decided by the limit alone: a rank without samples of its own validates with the others.
    let limit = trainer.settings.limitValidationBatches
    if limit == .batches(0) || limit == .fraction(0) { return nil }
    let loaders = try withErrorScope { () -> [DataLoader<Batch>] in
      let own = try data.validationLoaders()
      guard trainer.settings.overfitBatches != nil, !own.isEmpty else { return own }
      return try data.trainingLoader().map { [$0.unshuffled()] } ?? []
    }
    guard !loaders.isEmpty else { return nil }
    return EvaluationLoop(trainer: trainer, model: model, loaders: loaders, stage: .fit)
  }

  /// Whether to validate at the end of an epoch whose rest was skipped: where validation belongs to the end.
  var isValidationDueAfterSkip: Bool {
    guard validation != nil, let every = trainer.settings.validateEveryEpochs else { return false }
    let interval = trainer.settings.validationInterval
    return (interval == .all || interval == .fraction(1)) && (trainer.progress.epoch + 1) % every == 0
  }

  /// Whether to validate when `done` batches of the present epoch are done.
  func isValidationDue(after done: Int) -> Bool {
    guard validation != nil else { return false }
    let settings = trainer.settings
    guard let every = settings.validateEveryEpochs else {
      guard case .batches(let interval) = settings.validationInterval else { return false }
      return trainer.progress.totalBatches % interval == 0
    }
    guard (trainer.progress.epoch + 1) % every == 0 else { return false }
    switch settings.validationInterval {
    case .all: return done == batchCount
    case .fraction(let fraction): return done % max(1, Int(Double(batchCount) * fraction)) == 0
    case .batches(let interval): return done % interval == 0
    }
  }
}

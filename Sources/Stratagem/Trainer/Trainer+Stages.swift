public import Torch
public import TorchData

extension Trainer {
  /// Trains `model`, validating after each epoch.
  ///
  /// - Parameter resumeFrom: a checkpoint to continue from: weights, optimizer, schedules, random state, and the place in
  ///   the epoch, so that the result is that of an uninterrupted run. A path; `last` for the newest `last.ckpt` that
  ///   this trainer's ``ModelCheckpoint`` wrote, if there is one; `best`, or `hpc` for that of a requeued job.
  public func fit<Batch>(
    _ model: LightningModule<Batch>, _ data: DataModule<Batch>, resumeFrom path: String? = nil
  ) throws {
    try FitLoop<Batch>.check(model, settings)
    let path = try checkpointPath(path, .fit)
    resumedPath = path.map(Folder.absolute)
    try launch(.fit, model, from: path, carrying: .nothing) { checkpoint in
      try FitLoop(trainer: self, model: model, data: data, resuming: checkpoint.map { ($0, path ?? "") }).run()
    }
  }

  /// Trains `model` on loaders.
  public func fit<Batch>(
    _ model: LightningModule<Batch>, train: DataLoader<Batch>, validation: DataLoader<Batch>? = nil,
    resumeFrom path: String? = nil
  ) throws {
    try fit(model, LoaderDataModule(training: train, evaluation: validation), resumeFrom: path)
  }

  /// The metrics of the validation data: every sample counts once, whatever the number of ranks.
  ///
  /// They are written to the loggers when this trainer has fitted before; otherwise there is no run they belong to.
  ///
  /// - Parameter path: a checkpoint to take the weights from: a path, or `best` or `last` for one that this trainer's
  ///   ``ModelCheckpoint`` wrote; the weights of `model` when left out.
  @discardableResult
  public func validate<Batch>(
    _ model: LightningModule<Batch>, _ data: DataModule<Batch>, from path: String? = nil
  ) throws -> [String: Double] {
    try evaluate(.validate, model, data, from: path)
  }

  /// The metrics of the test data; see ``validate(_:_:from:)``.
  @discardableResult
  public func test<Batch>(
    _ model: LightningModule<Batch>, _ data: DataModule<Batch>, from path: String? = nil
  ) throws -> [String: Double] {
    try evaluate(.test, model, data, from: path)
  }

  /// The predictions for all samples in the order of the dataset, on every rank: row i belongs to sample i, unless
  /// `limitPredictBatches` leaves samples out.
  ///
  /// - Returns: nil when `predictStep` answered nil for all batches.
  public func predict<Batch>(
    _ model: LightningModule<Batch>, _ data: DataModule<Batch>, from path: String? = nil
  ) throws -> Tensor? {
    let path = try checkpointPath(path, .predict)
    return try launch(.predict, model, from: path, carrying: .predictions) { [self] checkpoint in
      defer { tearDown(.predict, model, data) }
      try prepare(.predict, model, data, checkpoint, path)
      guard let loader = try withErrorScope({ try data.predictLoader() }) else {
        throw TrainingError.noData("predict needs a loader: override predictLoader() of \(type(of: data))")
      }
      return try PredictionLoop(trainer: self, model: model, loader: loader).run()
    }
  }

  private func evaluate<Batch>(
    _ stage: Stage, _ model: LightningModule<Batch>, _ data: DataModule<Batch>, from path: String?
  ) throws -> [String: Double] {
    let path = try checkpointPath(path, stage)
    return try launch(stage, model, from: path, carrying: .metrics) { [self] checkpoint in
      defer { tearDown(stage, model, data) }
      try prepare(stage, model, data, checkpoint, path)
      let loaders = try withErrorScope { stage == .test ? try data.testLoaders() : try data.validationLoaders() }
      let hook = stage == .test ? "testLoaders" : "validationLoaders"
      try LoaderCounts.check(try strategy.allGather(object: loaders.count), hook)
      guard !loaders.isEmpty else {
        throw TrainingError.noData(
          "\(stage.rawValue) needs a loader: override \(stage == .test ? "testLoader" : "validationLoader")() of "
            + "\(type(of: data))")
      }
      return try EvaluationLoop(trainer: self, model: model, loaders: loaders, stage: stage).run()
    }
  }

  /// What every stage does before its loop.
  func prepare<Batch>(
    _ stage: Stage, _ model: LightningModule<Batch>, _ data: DataModule<Batch>, _ checkpoint: Checkpoint?,
    _ path: String?
  ) throws {
    dataModule = data
    if settings.prepareDataPerNode ? strategy.localRank == 0 : strategy.rank == 0 {
      try data.prepareData()
      try model.prepareData()
    }
    try strategy.waitForPreparation()
    try strategy.barrier()
    try data.setup(stage)
    for callback in callbacks { try callback.setup(self, stage) }
    try model.setup(stage)
    try strategy.barrier()
    try withErrorScope { try model.configureModel() }
    // Before the weights arrive, so that a wider type keeps all their bits.
    strategy.precision?.convert(model)
    let loadsLate = strategy.restoresCheckpointAfterSetUp || checkpoint?.source != nil
    if let checkpoint, !loadsLate { try loadWeights(checkpoint, path ?? "", into: model) }
    try withErrorScope { try strategy.setUp(stage) }
    if let checkpoint, loadsLate { try restoreWeights(checkpoint, path ?? "", into: model, stage) }
  }

  /// The loader as the strategy uses it, unless the ranks are to use their loaders as they are.
  func distributed<Batch>(_ loader: DataLoader<Batch>, _ policy: Shard.Policy) -> DataLoader<Batch> {
    settings.useDistributedSampler ? strategy.process(loader, policy) : loader
  }

  /// Finds the seed for orders of samples that nobody gave one for: that of the run to resume, the trainer's, or one
  /// drawn. That of rank 0 counts: with other orders some samples would be seen twice, and others never.
  func agreeOnSeed(_ checkpoint: Checkpoint?) throws {
    let saved = checkpoint?["stratagem"]?.dictionaryValue?["seed"]?.intValue.map { UInt64(bitPattern: Int64($0)) }
    sampleSeed = try strategy.broadcast(saved ?? settings.seed ?? UInt64.random(in: 0..<(1 << 48)))
  }

  /// Also called when a part of the preparation failed.
  func tearDown<Batch>(_ stage: Stage, _ model: LightningModule<Batch>, _ data: DataModule<Batch>) {
    for callback in callbacks { callback.teardown(self, stage) }
    model.teardown(stage)
    data.teardown(stage)
  }
}

internal import Torch
internal import TorchOptim

extension Trainer {
  /// Writes the state of training. Called on all ranks.
  ///
  /// - Parameters:
  ///   - weightsOnly: leave out what is needed to go on training.
  ///   - options: what the ``CheckpointIO`` has to know about the place.
  public func saveCheckpoint(to path: String, weightsOnly: Bool = false, options: [String: String] = [:]) throws {
    try saveCheckpoint(to: [path], weightsOnly: weightsOnly, options: options)
  }

  func saveCheckpoint(to paths: [String], weightsOnly: Bool, options: [String: String] = [:]) throws {
    // The main process, whose program this worker repeats up to its call, writes it.
    if WorkerProcess.isWorker, strategy.launcher.hasTrainingElsewhere { return }
    var weightsOnly = weightsOnly
    if !weightsOnly, strategy.launcher.hasTrainingElsewhere {
      announce(
        "note: the state of the optimizers stayed in the workers, so the checkpoint holds the weights only; ModelCheckpoint "
          + "saves it all inside the run")
      weightsOnly = true
    }
    try flushStepRows()
    try strategy.willSave()
    if isGlobalZero { for logger in loggers { try logger.flush() } }
    let generators = try strategy.allGather(Generator.default.state)
    let sums = try strategy.allGather(Tensor(trainingMetrics.sums)).map { try $0.array(as: Double.self) }
    let checkpoint = try makeCheckpoint(generators, sums, weightsOnly: weightsOnly)
    try strategy.save(checkpoint, to: paths, options: options)
    // Whoever reads the file next finds it.
    try strategy.barrier()
  }

  /// Writes the state of training on rank 0 without asking the other ranks anything.
  func saveAlone(to paths: [String], weightsOnly: Bool) throws {
    if !weightsOnly { try strategy.willSaveAlone() }
    strategy.isSavingAlone = true
    defer { strategy.isSavingAlone = false }
    if strategy.stateDictType == .sharded { return try saveShardedAlone(to: paths, weightsOnly: weightsOnly) }
    try write(stepRows.drain())
    if isGlobalZero { for logger in loggers { try logger.flush() } }
    try strategy.save(
      makeCheckpoint([Generator.default.state], [trainingMetrics.sums], weightsOnly: weightsOnly), to: paths)
  }

  private func saveShardedAlone(to paths: [String], weightsOnly: Bool) throws {
    try write(stepRows.drain())
    if isGlobalZero { for logger in loggers { try logger.flush() } }
    let checkpoint = try makeCheckpoint(
      [Generator.default.state], [trainingMetrics.sums], weightsOnly: weightsOnly)
    try strategy.saveSharded(checkpoint, to: paths, options: [:], alone: true)
  }

  /// - Parameters:
  ///   - generators: the random state of each rank.
  ///   - sums: what each rank has summed up for the means of the epoch.
  private func makeCheckpoint(_ generators: [Tensor], _ sums: [[Double]], weightsOnly: Bool) throws -> Checkpoint {
    var checkpoint = Checkpoint([
      "epoch": .int(progress.lightningEpoch),
      "global_step": .int(progress.globalStep),
      "pytorch-lightning_version": .string(Checkpoint.lightningVersion),
    ])
    let state = strategy.stateDictType == .sharded ? try strategy.stateInPieces(weightsOnly: weightsOnly) : nil
    if let state {
      checkpoint["state_dict"] = .dictionary(state.weights)
      checkpoint.pieces = state.pieces
    } else {
      checkpoint.stateDictionary = try strategy.moduleState()
    }
    checkpoint["loops"] = .dictionary(loopState.archive)
    if !weightsOnly { try addTrainingState(to: &checkpoint, optimizers: state?.optimizers) }
    addHyperParameters(to: &checkpoint)
    if let dataModule {
      let state = dataModule.state()
      if !state.isEmpty { checkpoint[dataModule.stateKey] = .dictionary(state) }
    }
    if !weightsOnly {
      var own: ArchiveDictionary = [
        "epoch": .int(progress.epoch), "batch": .int(progress.batch), "total_batches": .int(progress.totalBatches),
        "samples": .int(progress.samples), "seconds": .double(progress.seconds),
        "world_size": .int(strategy.worldSize), "batch_size": .int(layout?.batchSize ?? 0),
        "seed": .int(Int(truncatingIfNeeded: sampleSeed)),
        "generators": .list(generators.map { .tensor($0) }), "metrics": trainingMetrics.archive(sums),
      ]
      let state = try strategy.state()
      if !state.isEmpty { own["strategy"] = .dictionary(state) }
      checkpoint["stratagem"] = .dictionary(own)
      for callback in callbacks { try callback.onSaveCheckpoint(self, &checkpoint) }
    }
    try strategy.module?.onSaveCheckpoint(&checkpoint)
    return checkpoint
  }

  private var loopState: LoopState {
    LoopState(
      progress, accumulate: accumulate, batchCount: layout?.batchCount ?? 0,
      isAutomatic: strategy.module?.automaticOptimization ?? true)
  }

  private func addTrainingState(to checkpoint: inout Checkpoint, optimizers: [ArchiveValue]?) throws {
    var states = ArchiveDictionary()
    for callback in callbacks {
      let state = callback.state()
      if !state.isEmpty { states[callback.stateKey] = .dictionary(state) }
    }
    checkpoint["callbacks"] = .dictionary(states)
    checkpoint["optimizer_states"] = .list(try optimizers ?? strategy.optimizerState())
    checkpoint["lr_schedulers"] = .list(strategy.schedules.map { $0.schedule.stateDictionary() })
    strategy.precision?.addState(to: &checkpoint)
  }

  private func addHyperParameters(to checkpoint: inout Checkpoint) {
    if let module = strategy.module {
      checkpoint["hparams_name"] = "kwargs"
      checkpoint["hyper_parameters"] = .dictionary(module.savedHyperParameters)
    }
    if let parameters = dataModule?.hyperParameterArchive, !parameters.isEmpty {
      checkpoint["datamodule_hparams_name"] = "kwargs"
      checkpoint["datamodule_hyper_parameters"] = .dictionary(parameters)
    }
  }
}

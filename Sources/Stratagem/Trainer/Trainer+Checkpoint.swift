internal import Torch
internal import TorchNN
internal import TorchOptim

extension Trainer {
  /// Writes the state of training. Called on all ranks.
  public func saveCheckpoint(to path: String) throws { try saveCheckpoint(to: [path]) }

  func saveCheckpoint(to paths: [String]) throws {
    try flushStepRows()
    if isGlobalZero { for logger in loggers { try logger.flush() } }
    let generators = try strategy.allGather(Generator.default.state)
    let sums = try strategy.allGather(Tensor(trainingMetrics.sums)).map { try $0.array(as: Double.self) }
    let checkpoint = try makeCheckpoint(generators, sums)
    for path in paths { try strategy.save(checkpoint, to: path) }
    // Whoever reads the file next finds it.
    try strategy.barrier()
  }

  /// Writes the state of training on rank 0 without asking the other ranks anything.
  func saveCheckpoint(to path: String, alone: Bool) throws {
    guard alone else { return try saveCheckpoint(to: path) }
    try write(stepRows.drain())
    if isGlobalZero { for logger in loggers { try logger.flush() } }
    try strategy.save(makeCheckpoint([Generator.default.state], [trainingMetrics.sums]), to: path)
  }

  /// - Parameters:
  ///   - generators: the random state of each rank.
  ///   - sums: what each rank has summed up for the means of the epoch.
  private func makeCheckpoint(_ generators: [Tensor], _ sums: [[Double]]) throws -> Checkpoint {
    // At the end of an epoch Lightning still counts it as the present one.
    let isEpochEnd = progress.batch == 0 && progress.epoch > 0
    var checkpoint = Checkpoint([
      "epoch": .int(isEpochEnd ? progress.epoch - 1 : progress.epoch),
      "global_step": .int(progress.globalStep),
      "pytorch-lightning_version": .string(Checkpoint.lightningVersion),
    ])
    checkpoint.stateDictionary = try strategy.moduleState()
    checkpoint["loops"] = .dictionary(LoopState.archive(progress))
    var states = ArchiveDictionary()
    for callback in callbacks {
      let state = callback.state()
      if !state.isEmpty { states[callback.stateKey] = .dictionary(state) }
    }
    checkpoint["callbacks"] = .dictionary(states)
    checkpoint["optimizer_states"] = .list(try strategy.optimizerState())
    checkpoint["lr_schedulers"] = .list(strategy.schedules.map { $0.schedule.stateDictionary() })
    strategy.precision?.addState(to: &checkpoint)
    if let module = strategy.module {
      checkpoint["hparams_name"] = .string("kwargs")
      checkpoint["hyper_parameters"] = .dictionary(module.hyperParameterArchive)
    }
    checkpoint["stratagem"] = .dictionary([
      "epoch": .int(progress.epoch), "batch": .int(progress.batch), "total_batches": .int(progress.totalBatches),
      "samples": .int(progress.samples), "seconds": .double(progress.seconds),
      "world_size": .int(strategy.worldSize), "batch_size": .int(layout?.batchSize ?? 0),
      "seed": .int(Int(truncatingIfNeeded: sampleSeed)),
      "generators": .list(generators.map { .tensor($0) }), "metrics": trainingMetrics.archive(sums),
    ])
    for callback in callbacks { try callback.onSaveCheckpoint(self, &checkpoint) }
    try strategy.module?.onSaveCheckpoint(&checkpoint)
    return checkpoint
  }

  func loadWeights(_ checkpoint: Checkpoint, _ path: String, into module: AnyLightningModule) throws {
    guard let state = checkpoint.stateDictionary else {
      throw CheckpointError(path: path, reason: "there is no 'state_dict' in it, so it is not a training checkpoint")
    }
    do {
      _ = try withErrorScope { try module.load(state) }
    } catch let error as StateDictionaryError {
      throw CheckpointError(path: path, reason: "it is of another model than \(type(of: module)).\n\(error)")
    }
    for callback in callbacks { try callback.onLoadCheckpoint(self, checkpoint) }
    try module.onLoadCheckpoint(checkpoint)
  }

  /// Restores everything but the weights. Called after the optimizer was made.
  func restoreTraining(_ checkpoint: Checkpoint, _ path: String) throws {
    guard let states = checkpoint["optimizer_states"]?.listValue else {
      throw CheckpointError(
        path: path,
        reason: "there are no 'optimizer_states' in it: it holds weights only; load them instead of resuming")
    }
    guard states.count == strategy.optimizers.count else {
      throw CheckpointError(
        path: path,
        reason: "it has \(states.count) optimizer states, this module \(strategy.optimizers.count) optimizers")
    }
    let schedules = checkpoint["lr_schedulers"]?.listValue ?? []
    guard schedules.count == strategy.schedules.count else {
      throw CheckpointError(
        path: path,
        reason: "it has \(schedules.count) learning-rate schedules, this module \(strategy.schedules.count)")
    }
    do {
      try withErrorScope {
        for (optimizer, state) in zip(strategy.optimizers, states) { try optimizer.load(state) }
        for (entry, state) in zip(strategy.schedules, schedules) { try entry.schedule.load(state) }
        try strategy.precision?.loadState(from: checkpoint)
      }
    } catch {
      throw CheckpointError(path: path, reason: "\(error)")
    }
    let callbackStates = checkpoint["callbacks"]?.dictionaryValue ?? [:]
    for callback in callbacks {
      if let state = callbackStates[callback.stateKey]?.dictionaryValue { try callback.load(state) }
    }
    progress = try LoopState.progress(of: checkpoint, path)
  }

  /// Finds the place in the epoch of a checkpoint that was written on another number of ranks or with other batches.
  func findPlace(in checkpoint: Checkpoint, _ path: String) throws {
    guard progress.batch > 0, let layout else { return }
    let own = checkpoint["stratagem"]?.dictionaryValue
    let worldSize = own?["world_size"]?.intValue ?? layout.worldSize
    let batchSize = own?["batch_size"]?.intValue ?? layout.batchSize
    let samples = progress.batch * worldSize * batchSize
    guard samples % layout.samplesPerBatch == 0, samples / layout.samplesPerBatch <= layout.batchCount else {
      throw CheckpointError(
        path: path,
        reason: "it was written after \(progress.batch) batches of \(batchSize) samples on each of \(worldSize) ranks, "
          + "a place in the epoch that \(layout.batchCount) batches of \(layout.batchSize) samples on \(layout.worldSize) "
          + "ranks do not have; resume with the same batches, or from a checkpoint at the end of an epoch")
    }
    progress.batch = samples / layout.samplesPerBatch
  }

  /// Takes over the random state that this rank had.
  func restoreGenerator(_ checkpoint: Checkpoint) throws {
    let generators = checkpoint["stratagem"]?.dictionaryValue?["generators"]?.listValue ?? []
    if strategy.rank < generators.count, let state = generators[strategy.rank].tensorValue {
      try withErrorScope { Generator.default.state = state }
    }
    if !generators.isEmpty, generators.count < strategy.worldSize {
      announce(
        "note: the checkpoint holds the random state of \(generators.count) of \(strategy.worldSize) ranks; dropout and "
          + "the like go on with other numbers on the rest")
    }
  }
}

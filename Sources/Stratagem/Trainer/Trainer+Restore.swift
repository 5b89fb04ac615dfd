internal import Torch
internal import TorchDistributed
internal import TorchNN
internal import TorchOptim

/// What a run takes over from a checkpoint.
extension Trainer {
  /// Takes over the weights, and what the hooks and the data make of the checkpoint.
  func loadWeights(_ checkpoint: Checkpoint, _ path: String, into module: AnyLightningModule) throws {
    try load(checkpoint, path, into: module) { try $0.loadWeights(into: module, path) }
  }

  /// Takes over the weights of which this rank holds its part, after the strategy was set up, and reads what the optimizers
  /// need, too: when a part of the checkpoint is damaged, nothing has been changed.
  func restoreWeights(_ checkpoint: Checkpoint, _ path: String, into module: AnyLightningModule, _ stage: Stage) throws
  {
    restorer = nil
    try load(checkpoint, path, into: module) { checkpoint in
      let restorer = CheckpointRestorer(checkpoint, path, strategy, strategy.parameterPlacements)
      let optimizers = stage == .fit && strategy.restoresOptimizer ? strategy.optimizers : nil
      do { try restorer.read(into: module, optimizers, worldSize: strategy.worldSize) } catch {
        // Ranks that cannot be reached do not help.
        if !(error is DistributedError) { try? strategy.keepModule() }
        throw error
      }
      try restorer.applyWeights(to: module)
      try withErrorScope { try strategy.didRestoreWeights() }
      if optimizers != nil { self.restorer = restorer }
    }
  }

  private func load(
    _ checkpoint: Checkpoint, _ path: String, into module: AnyLightningModule,
    _ loadWeights: (Checkpoint) throws -> Void
  ) throws {
    var checkpoint = checkpoint
    try module.onLoadCheckpoint(&checkpoint)
    try loadWeights(checkpoint)
    if let dataModule, let state = checkpoint[dataModule.stateKey]?.dictionaryValue {
      try naming(path, "the state of \(dataModule.stateKey) cannot be restored: ") { try dataModule.load(state) }
    }
    for callback in callbacks { try callback.onLoadCheckpoint(self, checkpoint) }
  }

  /// Restores everything but the weights. Called after the optimizers were made.
  func restoreTraining(_ checkpoint: Checkpoint, _ path: String) throws {
    if strategy.restoresOptimizer { try restoreOptimizers(checkpoint, path) }
    let states = checkpoint["callbacks"]?.dictionaryValue ?? [:]
    for callback in callbacks {
      guard let state = states[callback.stateKey]?.dictionaryValue else { continue }
      try naming(path, "the state of \(callback.stateKey) cannot be restored: ") { try callback.load(state) }
    }
    if let precision = strategy.precision {
      try naming(path, "the state of \(precision.stateKey) cannot be restored: ") {
        try precision.loadState(from: checkpoint)
      }
    }
    if let state = checkpoint["stratagem"]?["strategy"]?.dictionaryValue {
      try naming(path, "the state of the strategy cannot be restored: ") { try strategy.load(state) }
    }
    progress = try LoopState.progress(of: checkpoint, path)
  }

  private func restoreOptimizers(_ checkpoint: Checkpoint, _ path: String) throws {
    defer { restorer = nil }
    guard let states = checkpoint["optimizer_states"]?.listValue else {
      throw CheckpointError(
        path: path,
        reason: "there are no 'optimizer_states' in it: it holds weights only; load them instead of resuming")
    }
    let schedules = checkpoint["lr_schedulers"]?.listValue ?? []
    try requireEqual(states.count, strategy.optimizers.count, "optimizer state", path)
    try requireEqual(schedules.count, strategy.schedules.count, "learning-rate schedule", path)
    try naming(path, "") {
      try withErrorScope {
        for (number, (optimizer, state)) in zip(strategy.optimizers, states).enumerated() {
          if let own = restorer?.takeState(of: number) {
            try optimizer.load(own, adoptingTensors: restorer?.ownsStates == true)
            if let state = restorer?.takeStoredState(of: number) { try strategy.take(state, of: optimizer) }
          } else {
            try optimizer.load(strategy.localOptimizerState(state, of: optimizer))
          }
        }
        for (entry, state) in zip(strategy.schedules, schedules) { try entry.schedule.load(state) }
      }
    }
  }

  private func requireEqual(_ found: Int, _ expected: Int, _ what: String, _ path: String) throws {
    guard found == expected else {
      throw CheckpointError(
        path: path, reason: "it has \(found) \(what)\(found == 1 ? "" : "s"), this module \(expected)")
    }
  }

  /// Adds the file to an error.
  private func naming(_ path: String, _ heading: String, _ body: () throws -> Void) throws {
    do { try body() } catch { throw CheckpointError(path: path, reason: "\(heading)\(error)") }
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

  /// Takes over the random state that this rank had. A rank that was not there takes numbers of its own, which follow from the
  /// state of one that was: they depend on nothing but the checkpoint and the rank.
  func restoreGenerator(_ checkpoint: Checkpoint) throws {
    let generators = checkpoint["stratagem"]?.dictionaryValue?["generators"]?.listValue ?? []
    guard !generators.isEmpty, let state = generators[strategy.rank % generators.count].tensorValue else { return }
    try withErrorScope {
      Generator.default.state = state
      guard strategy.rank >= generators.count else { return }
      let drawn = try Tensor.randint(0..<(1 << 48), shape: [1]).integer()
      TorchRuntime.manualSeed(UInt64(drawn) &+ UInt64(strategy.rank))
    }
    if generators.count < strategy.worldSize {
      announce(
        "note: the checkpoint holds the random state of \(generators.count) of \(strategy.worldSize) ranks; dropout and "
          + "the like take new numbers on the rest")
    }
  }
}

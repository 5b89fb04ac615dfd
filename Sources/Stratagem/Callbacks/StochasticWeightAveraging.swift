public import Torch
internal import TorchNN
public import TorchOptim

/// Averages the weights of the last epochs, which often generalizes better than the last weights.
///
/// From `start` on the learning rate is annealed to a constant `learningRate`; the weights at the end of each epoch go
/// into a running mean w̄ ← w̄ + (w - w̄) / (n + 1), which the model holds when training ends. Running statistics of
/// batch normalization are then computed again in a pass over the training data of all ranks. A checkpoint of a run that
/// ended before its last epoch keeps the weights as they were trained, so that it can be resumed.
///
/// Where a strategy partitions the parameters, each rank averages its elements; a checkpoint, also a sharded one, holds
/// the whole mean among what rank 0 writes.
///
/// See "Averaging Weights Leads to Wider Optima and Better Generalization", https://arxiv.org/abs/1803.05407.
public final class StochasticWeightAveraging: Callback {
  /// When averaging starts.
  public enum Start: Sendable, Hashable {
    /// With this epoch, counted from 0.
    case epoch(Int)
    /// After this share of the epochs, in 0...1.
    case share(Double)
  }

  public let learningRate: Double
  public let start: Start
  public let annealingEpochs: Int
  public let annealing: SWALR.Annealing
  /// How many epochs are in the mean.
  public private(set) var averagedCount = 0
  private var average: [Tensor] = []
  private var startEpoch = 0
  private var schedule: SWALR?
  private var loadedSchedule: ArchiveValue?
  /// What the module's own schedules were when the annealing took their place.
  private var replacedSchedules: [OptimizerPlan.Schedule] = []
  /// The weights to train on with, when training ended before its last epoch, by the property that holds them.
  private var trainedWeights: [ObjectIdentifier: Tensor] = [:]

  /// - Parameters:
  ///   - learningRate: the constant learning rate to arrive at; above 0.
  ///   - start: when averaging starts.
  ///   - annealingEpochs: epochs on the way to it; at least 0.
  ///   - annealing: the form of the way.
  public init(
    learningRate: Double, start: Start = .share(0.8), annealingEpochs: Int = 10, annealing: SWALR.Annealing = .cosine
  ) {
    self.learningRate = learningRate
    self.start = start
    self.annealingEpochs = annealingEpochs
    self.annealing = annealing
  }

  public override func setup(_ trainer: Trainer, _ stage: Stage) throws {
    guard stage == .fit else { return }
    (averagedCount, average, schedule, loadedSchedule, replacedSchedules) = (0, [], nil, nil, [])
    trainedWeights = [:]
    guard let epochs = trainer.settings.totalEpochs else {
      throw problem("the number of epochs is not known", "give until: .epochs(n)")
    }
    switch start {
    case .epoch(let epoch): startEpoch = epoch
    case .share(let share): startEpoch = Int(Double(epochs) * share)
    }
    guard startEpoch >= 0, startEpoch < epochs else {
      throw problem("it would start with epoch \(startEpoch) of \(epochs)", "start within the epochs of the run")
    }
    guard learningRate > 0, annealingEpochs >= 0 else {
      throw problem(
        "learningRate is \(learningRate), annealingEpochs \(annealingEpochs)",
        "give a learning rate above 0 and at least 0 epochs")
    }
  }

  public override func onFitStart(_ trainer: Trainer) throws {
    guard trainer.strategy.optimizers.count == 1, trainer.strategy.schedules.count <= 1 else {
      throw problem("the module has several optimizers or schedules", "use one of each")
    }
  }

  /// Takes of the mean of a checkpoint what this rank holds.
  public override func onTrainStart(_ trainer: Trainer) throws {
    if trainer.module?.parameters().contains(where: { $0.offloadedGradient != nil }) == true {
      throw problem(
        "parameters are kept on disk, and their mean would be in memory", "keep them in memory: raise 'max_in_cpu'")
    }
    guard !average.isEmpty, let parameters = trainer.module?.parameters() else { return }
    let placements = trainer.strategy.placementOfParameter
    guard average.count == parameters.count else {
      throw problem("the checkpoint has the mean of \(average.count) parameters", "resume the model that it was of")
    }
    average = withoutGradients {
      zip(average, parameters).map { mean, parameter in
        guard let range = placements[ObjectIdentifier(parameter)]?.range else { return mean }
        return mean.flattened().narrowed(dim: 0, start: range.lowerBound, length: range.count)
          .reshaped(parameter.tensor.shape).clone()
      }
    }
  }

  public override func onTrainEpochStart(_ trainer: Trainer) throws {
    guard schedule == nil, trainer.progress.epoch >= startEpoch, let optimizer = trainer.strategy.optimizer else {
      return
    }
    let schedule = SWALR(
      optimizer, averagingRate: learningRate, annealingSteps: annealingEpochs, annealing: annealing)
    if let loadedSchedule { try schedule.load(loadedSchedule) }
    replacedSchedules = trainer.strategy.schedules
    trainer.strategy.replaceSchedules([OptimizerPlan.Schedule(schedule, name: "swa")])
    self.schedule = schedule
  }

  public override func onTrainEpochEnd(_ trainer: Trainer) {
    // The epoch that has just ended; the trainer counts it as done already.
    guard trainer.progress.epoch - 1 >= startEpoch, let module = trainer.module else { return }
    withoutGradients {
      let weights = module.parameters().map { $0.tensor.detached() }
      if averagedCount == 0 {
        average = weights.map { $0.clone() }
      } else {
        for (mean, weight) in zip(average, weights) { mean.add((weight - mean) / Double(averagedCount + 1)) }
      }
    }
    averagedCount += 1
  }

  public override func onTrainEnd(_ trainer: Trainer) throws {
    guard averagedCount > 0, let module = trainer.module else { return }
    if trainer.progress.epoch < trainer.settings.totalEpochs ?? 0 {
      trainedWeights = withoutGradients {
        Dictionary(module.stateHolders().map { (ObjectIdentifier($0.holder), $0.holder.tensor.detached().clone()) }) {
          first, _ in first
        }
      }
    }
    try put(Dictionary(zip(module.parameters().map(ObjectIdentifier.init), average)) { first, _ in first }, trainer)
    try updateStatistics(trainer, module)
    trainer.announce("stochastic weight averaging: the model holds the mean of \(averagedCount) epochs")
  }

  /// Gives properties of the module other values. Called on all ranks.
  private func put(_ values: [ObjectIdentifier: Tensor], _ trainer: Trainer) throws {
    withoutGradients {
      for (_, holder) in trainer.module?.stateHolders() ?? [] {
        if let value = values[ObjectIdentifier(holder)] { holder.tensor.detached().copy(from: value) }
      }
    }
    if !trainer.strategy.placementOfParameter.isEmpty { try trainer.strategy.didRestoreWeights() }
  }

  /// Computes the running statistics of batch normalization for the mean weights: the mean over all batches.
  private func updateStatistics(_ trainer: Trainer, _ module: AnyLightningModule) throws {
    let layers = module.namedModules().compactMap { $0.module as? BatchNorm }.filter { $0.runningMean != nil }
    guard !layers.isEmpty else { return }
    withoutGradients {
      for layer in layers {
        layer.runningMean?.zero()
        layer.runningVar?.fill(1)
        layer.numBatchesTracked?.zero()
        layer.averagesAllBatches = true
      }
    }
    defer { for layer in layers { layer.averagesAllBatches = false } }
    try trainer.passOverTrainingData?()
    // Each rank has seen its own samples.
    for buffer in layers.flatMap({ [$0.runningMean, $0.runningVar] }) {
      if let buffer { buffer.copy(from: try trainer.strategy.reduce(buffer)) }
    }
  }

  /// The module that resumes has its own schedules, not the annealing, when they are restored, and goes on from the
  /// weights before they were averaged.
  public override func onSaveCheckpoint(_ trainer: Trainer, _ checkpoint: inout Checkpoint) throws {
    if !trainedWeights.isEmpty { try addTrainedWeights(trainer, &checkpoint) }
    if !average.isEmpty, let placed = try wholeAverage(trainer) {
      var states = checkpoint["callbacks"]?.dictionaryValue ?? [:]
      var own = states[stateKey]?.dictionaryValue ?? [:]
      own["average"] = .list(placed.map { .tensor($0) })
      states[stateKey] = .dictionary(own)
      checkpoint["callbacks"] = .dictionary(states)
    }
    guard schedule != nil else { return }
    checkpoint["lr_schedulers"] = .list(replacedSchedules.map { $0.schedule.stateDictionary() })
  }

  private func addTrainedWeights(_ trainer: Trainer, _ checkpoint: inout Checkpoint) throws {
    guard let module = trainer.module else { return }
    if let pieces = checkpoint.pieces, let placeholders = checkpoint.stateDictionary {
      for (key, holder) in module.stateHolders() {
        guard let placeholder = placeholders[key] else { continue }
        if let trained = trainedWeights[ObjectIdentifier(holder)] { pieces.replace(placeholder, by: trained) }
      }
      return
    }
    let mean = withoutGradients {
      Dictionary(module.stateHolders().map { (ObjectIdentifier($0.holder), $0.holder.tensor.detached().clone()) }) {
        first, _ in first
      }
    }
    try put(trainedWeights, trainer)
    let state = try trainer.strategy.moduleState()
    checkpoint.stateDictionary = withoutGradients { state.mapValues { $0.detached().clone() } }
    try put(mean, trainer)
  }

  /// The mean of whole parameters on rank 0, nothing on the others; nil where nothing is partitioned. Called on all ranks.
  private func wholeAverage(_ trainer: Trainer) throws -> [Tensor]? {
    let placements = trainer.strategy.placementOfParameter
    guard !placements.isEmpty, let parameters = trainer.module?.parameters() else { return nil }
    var whole: [Tensor] = []
    for (parameter, mean) in zip(parameters, average) {
      let placement = placements[ObjectIdentifier(parameter)]
      let tensor = try placement.map { try trainer.strategy.whole(mean, $0) } ?? mean
      if trainer.isGlobalZero { whole.append(tensor) }
    }
    return whole
  }

  public override func state() -> ArchiveDictionary {
    [
      "n_averaged": .int(averagedCount), "average": .list(average.map { .tensor($0) }),
      "scheduler_state": schedule?.stateDictionary() ?? .none,
    ]
  }

  public override func load(_ state: ArchiveDictionary) throws {
    averagedCount = state["n_averaged"]?.intValue ?? 0
    average = state["average"]?.listValue?.compactMap(\.tensorValue) ?? []
    if case .dictionary? = state["scheduler_state"] { loadedSchedule = state["scheduler_state"] }
  }

  private func problem(_ reason: String, _ suggestion: String) -> ConfigurationError {
    ConfigurationError(
      "StochasticWeightAveraging", "stochastic weight averaging cannot be used: \(reason)", suggestion: suggestion)
  }
}

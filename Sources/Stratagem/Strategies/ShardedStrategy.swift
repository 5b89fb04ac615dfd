public import Torch
internal import TorchDistributed
internal import TorchNN
public import TorchOptim

/// A strategy that partitions the state of training over its processes: the base of `ddp_sharded`, `fsdp` and `deepspeed`.
///
/// Subclass it to partition otherwise: override ``makeShardingOptions()``. Everything else, from the gathering of parameters
/// to gradient clipping and checkpoints, goes by the engine that it configures.
open class ShardedStrategy: ParallelStrategy {
  /// What partitions the module of the run under way, and of the run before until the next begins.
  public private(set) final var engine: ShardingEngine?

  private var isFitting = false
  private var checkpoints: ActivationCheckpoints?
  /// Why the norms of parameters could not be added up in a step.
  final var normFailure: (any Error)?

  /// What is partitioned, and how. Called in every process at the start of a run.
  open func makeShardingOptions() throws -> ShardingOptions {
    preconditionFailure("\(type(of: self)) must override makeShardingOptions()")
  }

  /// Which layers compute their activations again in backward while training; nil for none.
  open var activationCheckpointing: ActivationCheckpointPolicy? { nil }

  /// Whether running statistics and other buffers of rank 0 are given to all ranks before each forward of training.
  open var broadcastsBuffers: Bool { false }

  open override var parameterPlacements: [ParameterPlacement] {
    guard let engine, engine.isActive else { return [] }
    return engine.placements
  }

  open override func setUp(_ stage: Stage) throws {
    // A module that was never whole is still in parts after the run before.
    if let engine, engine.isKept, engine.module === module {
      engine.isKept = false
    } else {
      engine?.release()
      engine = nil
    }
    isFitting = stage == .fit
    try super.setUp(stage)
    if stage == .fit { shareNorms() }
    // Parameters that are partitioned in training are so in an evaluation, too.
    if stage != .fit, try makeShardingOptions().stage == .parameters { try partition() }
  }

  /// Parameters whose initialisation is deferred are made a unit at a time, when they are partitioned.
  open override func materializeModule() throws {
    if !isFitting, try makeShardingOptions().stage < .parameters { return try super.materializeModule() }
    try module?.materializeBuffers()
  }

  /// The parameters become equal when they are partitioned.
  open override func synchronizeModule() throws {
    if !isFitting, try makeShardingOptions().stage < .parameters { return try super.synchronizeModule() }
    try synchronizeBuffers()
  }

  /// Gives all ranks the buffers of rank 0.
  private func synchronizeBuffers() throws {
    guard let group, let module else { return }
    let tensors = module.namedBuffers().map { $0.buffer.tensor }
    if !tensors.isEmpty { try group.broadcast(tensors) }
  }

  open override func configureModule() throws {
    try requirePartitionableOptimizers()
    try partition()
    if let module { checkpoints = try activationCheckpointing?.apply(to: module) }
    try super.configureModule()
  }

  /// Partitions the module, unless it is in parts since the run before.
  private func partition() throws {
    if engine == nil { try makeEngine() }
    agreeOnScale()
  }

  private func makeEngine() throws {
    guard let module else { return }
    let options = try makeShardingOptions()
    if rootDevice == .cpu, options.stage == .parameters {
      // Units come and go, and would leave holes among smaller tensors.
      let kept = options.parameterStore == nil ? AvailableMemory.keptByteCount : AvailableMemory.leastKept
      TorchRuntime.keepFreedMemory(kept, inBlocksUpTo: min(kept, 4 << 20))
    }
    engine = try ShardingEngine(
      module, options, device: rootDevice, place: launcher.world, group: group, timeout: timeout
    ) { try $0.isDeferred ? $0.initialTensor() : $0.tensor.detached() }
  }

  /// A module without memory gets its weights when each rank has its part.
  open override var restoresCheckpointAfterSetUp: Bool { module?.hasDeferredTensors ?? false }

  // Steps
  open override func trainingStep(_ step: ModuleStep<StepOutput>, synchronizing: Bool) throws -> StepOutput {
    if broadcastsBuffers, synchronizing { try synchronizeBuffers() }
    try engine?.willRunForward()
    return try super.trainingStep(step, synchronizing: synchronizing)
  }

  open override func backward(_ loss: Tensor, synchronizing: Bool) throws {
    guard !loss.isPoisoned else { return try super.backward(loss, synchronizing: synchronizing) }
    try engine?.willRunBackward(synchronizing: synchronizing)
    do { try withErrorScope { try super.backward(loss, synchronizing: synchronizing) } } catch {
      // What went wrong in a hook of backward is the cause of what libtorch misses after it.
      throw engine?.failure ?? error
    }
    try engine?.finishBackward()
  }

  open override func optimizerStep(_ optimizer: Optimizer) throws {
    try super.optimizerStep(optimizer)
    if let failure = normFailure {
      normFailure = nil
      throw failure
    }
    try engine?.didUpdate(optimizer.parameters)
  }

  /// By the norm over all ranks, which is that of the whole gradients.
  open override func clipGradients(of optimizer: Optimizer, norm: Double?, value: Double?) throws {
    guard let engine, let norm else { return try super.clipGradients(of: optimizer, norm: norm, value: value) }
    let total = try engine.gradientNorm(of: optimizer.parameters)
    GradientClipping.scale(optimizer.parameters.compactMap(\.gradient), toNorm: norm, from: total)
    let stored = optimizer.parameters.compactMap(\.offloadedGradient)
    if !stored.isEmpty {
      let factor = GradientClipping.factor(toNorm: norm, from: total).to(.cpu)
      for gradient in stored { gradient.apply { $0.multiply(by: factor.to($0.dtype)) } }
    }
    if value != nil { try super.clipGradients(of: optimizer, norm: nil, value: value) }
  }

  // Evaluation
  open override func prepareForEvaluation() throws {
    try super.prepareForEvaluation()
    try engine?.refresh()
  }

  open override func beginEvaluation(batches: Int) throws {
    try super.beginEvaluation(batches: batches)
    try engine?.beginEvaluation(batches: batches)
  }

  open override func endEvaluation() throws {
    try engine?.endEvaluation()
    try super.endEvaluation()
  }

  open override func validationStep(_ step: ModuleStep<StepOutput>) throws -> StepOutput {
    let output = try super.validationStep(step)
    try engine?.finishEvaluationStep()
    return output
  }

  open override func testStep(_ step: ModuleStep<StepOutput>) throws -> StepOutput {
    let output = try super.testStep(step)
    try engine?.finishEvaluationStep()
    return output
  }

  open override func predictStep(_ step: ModuleStep<Tensor?>) throws -> Tensor? {
    let output = try super.predictStep(step)
    try engine?.finishEvaluationStep()
    return output
  }

  // Checkpoints
  /// Each rank reads its elements of a checkpoint, which it knows once the parameters are partitioned.
  open override var readsCheckpointsInParts: Bool { true }

  /// A module that stays in parts is saved by all ranks also after a run.
  override var ranksForSaving: any RankExchange {
    guard group == nil, let engine, engine.isActive, let world = engine.groups.world else { return self }
    return GroupRanks(group: world)
  }

  open override func didRestoreWeights() throws { try engine?.refresh() }

  /// Whole parameters on rank 0; empty on the other ranks.
  open override func moduleState() throws -> StateDictionary {
    guard let engine, engine.isActive else { return try super.moduleState() }
    return try engine.moduleState()
  }

  /// Whole tensors on rank 0; empty states on the other ranks.
  open override func optimizerState() throws -> [ArchiveValue] {
    guard let engine else { return try super.optimizerState() }
    return try optimizers.map { try engine.wholeState(of: $0) }
  }

  open override func localOptimizerState(_ state: ArchiveValue, of optimizer: Optimizer) throws -> ArchiveValue {
    if engine?.parameterStore != nil {
      throw ConfigurationError(
        "checkpointIO",
        "\(checkpointIO.map { "\(type(of: $0))" } ?? "it") reads whole tensors, and the parameters are kept on disk",
        suggestion: "resume from a checkpoint in a file or folder, without checkpointIO")
    }
    return engine?.localState(state, of: optimizer) ?? state
  }

  /// Runs `body` with the whole parameters in the module, for code that is no step. Called on all ranks.
  public final func withWholeParameters<Result>(_ body: () throws -> Result) throws -> Result {
    guard let engine, engine.isActive else { return try body() }
    return try engine.withWholeParameters(body)
  }

  /// A gradient that is not finite on one rank is so for all. A rank without a gradient takes part on the same device.
  final func agreeOnScale() {
    guard let group, group.size > 1 else { return }
    let home = rootDevice
    (precision as? MixedPrecision)?.scaler?.agreement = { found in
      let shared = found.to(home)
      try group.allReduce(shared, by: .maximum)
      if found.device != home { found.copy(from: shared) }
    }
  }

  // The end
  /// Every rank has the whole module again, unless it never had: then its part.
  override func finishRun() throws {
    try engine?.finishRun()
    try super.finishRun()
  }

  override func keepModule() throws { try engine?.finishRun() }

  open override func tearDown() {
    forgetNorms()
    normFailure = nil
    checkpoints?.remove()
    checkpoints = nil
    engine?.abandon()
    (precision as? MixedPrecision)?.scaler?.agreement = nil
    super.tearDown()
  }
}

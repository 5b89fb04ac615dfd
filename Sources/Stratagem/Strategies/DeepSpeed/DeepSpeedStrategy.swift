public import Torch
public import TorchDistributed
internal import TorchNN
public import TorchOptim

/// ZeRO as DeepSpeed has it: the optimizer state (stage 1), gradients too (stage 2), parameters too (stage 3) partitioned
/// over the processes, optionally kept in the memory of the host or on disk.
///
/// ```swift
/// Trainer(strategy: "deepspeed_stage_2")
/// Trainer(strategy: DeepSpeedStrategy(stage: 3, offloadOptimizer: true))
/// Trainer(strategy: DeepSpeedStrategy(config: "ds_config.json"))
/// Trainer(strategy: DeepSpeedStrategy(config: ["zero_optimization": ["stage": 2], "bf16": ["enabled": true]]))
/// ```
///
/// A configuration replaces all options, and so does one that `PL_DEEPSPEED_CONFIG_PATH` names where none was given. It may
/// also name the optimizer and the schedule. Unlike DeepSpeed it runs on CPUs, too, takes modules with several optimizers,
/// clips by value as well as by norm, and its checkpoints load under any strategy and any number of ranks.
///
/// Gradients cross the ranks after every micro-batch in stages 2 and 3, as in DeepSpeed: accumulation saves no
/// communication, and no memory is needed for whole gradients.
open class DeepSpeedStrategy: ShardedStrategy {
  private let given: GivenDeepSpeedConfig
  private let policy: ActivationCheckpointPolicy?
  /// The checkpointed layers in stage 0.
  private var checkpoints: ActivationCheckpoints?
  /// The steps of the run, where the trainer says how many there are.
  private var totalSteps: Int?
  private var clipping: Double?
  /// The optimizer of the configuration with what the module's own says for `"auto"`.
  private var filledOptimizer: DeepSpeedOptimizer?
  /// What reduces gradients in stage 0.
  private var reducer: FlatReducer?
  private var offload: OptimizerOffload?
  /// Whether the state of the run that ended is still on disk, for a checkpoint of a model that no rank can hold.
  private var keepsOffload = false
  /// The configuration with everything that the trainer and the loader filled in; nil before training starts.
  public private(set) final var filledConfig: JSONValue?

  /// Makes a strategy from options; see ``DeepSpeedOptions`` for the others.
  public init(
    stage: Int = 2, offloadOptimizer: Bool = false, offloadParameters: Bool = false, nvmePath: String? = nil,
    timeout: Double = 1800, stallNotice: Double = 30, startMethod: StartMethod = .relaunch,
    processGroupBackend: ProcessGroupBackend? = nil
  ) {
    var options = DeepSpeedOptions(
      stage: stage, offloadOptimizer: offloadOptimizer, offloadParameters: offloadParameters)
    if nvmePath != nil { (options.offloadOptimizerDevice, options.offloadParametersDevice) = (.nvme, .nvme) }
    options.nvmePath = nvmePath
    given = GivenDeepSpeedConfig(nil, options)
    policy = nil
    super.init(
      precision: given.precision, timeout: timeout, stallNotice: stallNotice, startMethod: startMethod,
      processGroupBackend: processGroupBackend)
  }

  /// - Parameters:
  ///   - config: a literal or the path of a file; it replaces `options`. What is wrong in it is an error of the trainer.
  ///   - options: used when there is neither `config` nor `PL_DEEPSPEED_CONFIG_PATH`.
  ///   - activationCheckpointing: which layers compute their activations again in backward; `cpu_checkpointing` of the
  ///     configuration says where their inputs are kept.
  ///   - timeout: seconds that joining the others, or one collective, may take.
  ///   - stallNotice: seconds that a rank waits for the others before it is reported where all ranks are.
  ///   - startMethod: how the processes are started; those that a cluster or torchrun started are used as they are.
  ///   - processGroupBackend: what moves tensors between the processes; see ``ParallelStrategy``.
  public init(
    config: DeepSpeedConfigSource? = nil, options: DeepSpeedOptions = DeepSpeedOptions(),
    activationCheckpointing: ActivationCheckpointPolicy? = nil, timeout: Double = 1800, stallNotice: Double = 30,
    startMethod: StartMethod = .relaunch,
    processGroupBackend: ProcessGroupBackend? = nil, accelerator: Accelerator? = nil, precision: Precision? = nil,
    checkpointIO: (any CheckpointIO)? = nil, devices: [Device]? = nil,
    clusterEnvironment: (any ClusterEnvironment)? = nil
  ) {
    given = GivenDeepSpeedConfig(config, options)
    policy = activationCheckpointing
    super.init(
      accelerator: accelerator, precision: precision ?? given.precision, checkpointIO: checkpointIO, devices: devices,
      clusterEnvironment: clusterEnvironment, timeout: timeout, stallNotice: stallNotice, startMethod: startMethod,
      processGroupBackend: processGroupBackend)
  }

  /// The environment variable with the path of a configuration for strategies that were given none.
  public static let configVariable = "PL_DEEPSPEED_CONFIG_PATH"

  /// The configuration.
  ///
  /// - Throws: `ConfigurationError` with everything that is wrong in it.
  public final var config: DeepSpeedConfig {
    get throws(ConfigurationError) { try given.config.get() }
  }

  private var stage: Int { (try? config.zero.stage) ?? 0 }

  open override var strategyDescription: StrategyDescription {
    var options: [String: StrategyOption] = ["stage": .number(stage)]
    if let zero = try? config.zero {
      for (name, offload) in [
        ("offloadOptimizer", zero.offloadOptimizer), ("offloadParameters", zero.offloadParameters),
      ] {
        guard let offload else { continue }
        options[name] = .flag(true)
        if offload.device != .cpu { options["\(name)Device"] = .text(offload.device.rawValue) }
      }
    }
    if startMethod != .relaunch { options["start"] = .text(startMethod.rawValue) }
    if let processGroupBackend { options["processGroupBackend"] = .text(processGroupBackend.rawValue) }
    var holdings = givenPlugins
    holdings.allowsSamePrecision = given.isGiven
    return StrategyDescription(
      name: "deepspeed", summary: "ZeRO: optimizer state, gradients and parameters partitioned over the ranks.",
      accelerators: [.cpu, .cuda], processes: .onePerDevice, options: options, holdings: holdings)
  }

  override func makePrecision(_ kind: PrecisionKind) -> Precision {
    kind == .float16Mixed ? LossScalingPrecision(given.lossScaling) : super.makePrecision(kind)
  }

  override func check(_ settings: TrainerSettings) throws(ConfigurationError) {
    let config = try config
    totalSteps = settings.maxSteps
    if case .steps(let steps) = settings.effectiveUntil { totalSteps = min(steps, totalSteps ?? steps) }
    clipping = settings.clipNorm ?? config.gradientClipping
    let problems = config.problems(
      settings, worldSize: worldSize, accumulate: plan?.accumulate ?? 1, totalSteps: totalSteps)
    if let error = ConfigurationError(problems) { throw error }
  }

  open override func makeShardingOptions() throws -> ShardingOptions {
    let config = try config
    var options = config.shardingOptions(elements: module?.parameters().map(\.tensor.count) ?? [])
    options.offloadsToHost = config.zero.offloadParameters != nil && rootDevice.kind != .cpu
    if let offload = config.zero.offloadParameters, offload.device == .nvme {
      // An element that stays in memory takes 8 bytes with its gradient, and 16 while a checkpoint is read; three quarters
      // of the memory are for everything else.
      let memory = (AvailableMemory.byteCount ?? .max) / max(1, plan?.processesPerNode ?? 1)
      options.parameterStore = ParameterStoreOptions(
        folder: offload.folder ?? "/tmp", disk: config.asynchronousIO.diskOptions,
        elementsInMemory: min(offload.maximumInMemory, memory / 64),
        pieceSize: min(config.zero.subGroupSize, 1 << 20))
    }
    return options
  }

  open override var activationCheckpointing: ActivationCheckpointPolicy? {
    var policy = self.policy
    if let config = try? config, config.activationCheckpointing.onCPU { policy?.options.keepsInputsOnCPU = true }
    return policy
  }

  // A run
  open override func setUp(_ stage: Stage) throws {
    if stage == .fit { try tellIgnored() }
    // The state of a module that stays in parts is kept until that module is trained again, or another one comes.
    if stage == .fit || engine?.isKept != true || engine?.module !== module { endOffload() }
    if stage == .fit { filledConfig = nil }
    try super.setUp(stage)
    guard stage == .fit else { return }
    (precision as? LossScalingPrecision)?.reduceOverflow = { [unowned self] in try reduceDecision($0, all: false) }
    try setUpOffload()
  }

  /// Names once what the configuration asks for without an effect.
  private func tellIgnored() throws {
    let config = try config
    var ignored = given.isGiven ? config.ignored : []
    if config.activationCheckpointing.onCPU {
      let reason: String? =
        policy == nil
        ? "no layer is checkpointed: give the strategy activationCheckpointing:"
        : rootDevice.kind == .cpu ? "on a CPU the inputs of layers are in the memory of the host anyway" : nil
      if let reason { ignored.append("activation_checkpointing.cpu_checkpointing (\(reason))") }
    }
    if let note = DeepSpeedConfig.note(of: ignored) { module?.trainer?.announce("note: \(note)") }
  }

  /// On a CPU what is offloaded to the host is there anyway.
  private func setUpOffload() throws {
    let config = try config
    let isStored = optimizers.contains { $0.parameters.contains { $0.stored != nil } }
    let wasChosen = chosenStateDictType != nil
    chosenStateDictType = engine?.isDeferred == true && isStored ? .sharded : nil
    if chosenStateDictType != nil, givenStateDictType == nil, !wasChosen {
      module?.trainer?.announce(
        "note: checkpoints are folders in which every rank writes its part, as the model is on disk and never whole; "
          + "stateDictType: .full gives single files, which take memory for all of it")
    }
    let isHost = optimizers.allSatisfy { $0.parameters.allSatisfy { $0.tensor.device.kind == .cpu } }
    let options = config.zero.offloadOptimizer
    guard options?.device == .nvme || options != nil && !isHost || isStored else { return }
    let largest = engine?.parameterStore?.options.pieceSize ?? .max
    let offload = OptimizerOffload(
      options, subGroupSize: min(config.zero.subGroupSize, largest), config.asynchronousIO.diskOptions)
    try offload.attach(to: optimizers)
    self.offload = offload
  }

  private func endOffload() {
    offload?.detach()
    offload = nil
    keepsOffload = false
  }

  /// Stage 0 holds everything on every rank.
  open override func synchronizeModule() throws {
    guard stage == 0, let group, let module else { return try super.synchronizeModule() }
    let tensors = module.parameters().map { $0.tensor.detached() } + module.namedBuffers().map { $0.buffer.tensor }
    if !tensors.isEmpty { try group.broadcast(tensors) }
  }

  open override func configureModule() throws {
    guard stage == 0 else { return try super.configureModule() }
    // Gradients are those of each rank where an optimizer compresses.
    agreeOnScale()
    if let module, let group, group.size > 1 {
      let bytes = try config.zero.reduceBucketSize.multipliedReportingOverflow(by: 4)
      reducer = FlatReducer(module, group: group, bucketByteCount: bytes.overflow ? .max : bytes.partialValue)
    }
    if let module { checkpoints = try activationCheckpointing?.apply(to: module) }
  }

  /// The optimizer and the schedule of the configuration where it names them, else the module's.
  open override func makeOptimizerPlan() throws -> OptimizerPlan {
    let config = try config
    var plan: OptimizerPlan
    if var optimizer = config.optimizer, let module {
      let own = optimizer.automatic.isEmpty && module.automaticOptimization ? [] : try ownOptimizers()
      if own.count > 1, !module.automaticOptimization {
        throw ConfigurationError(
          "optimizer",
          "\(type(of: module)) steps its \(own.count) optimizers itself, and the ds_config names one in their place",
          suggestion: "remove 'optimizer' from the ds_config")
      }
      if let group = own.first?.parameterGroups.first { optimizer = optimizer.filled(from: group) }
      filledOptimizer = optimizer
      let named = module.namedParameters().filter(\.parameter.requiresGradient)
      plan = OptimizerPlan(optimizer.make(named.map(\.parameter), names: named.map(\.name), over: group))
    } else {
      plan = try super.makeOptimizerPlan()
    }
    if let scheduler = config.scheduler {
      plan = OptimizerPlan(
        plan.optimizers,
        schedules: plan.optimizers.map { .init(scheduler.make($0, totalSteps: totalSteps), every: .step) })
    }
    return plan
  }

  /// The optimizers that the module makes; none when it leaves that to the configuration.
  private func ownOptimizers() throws -> [Optimizer] {
    do {
      return try super.makeOptimizerPlan().optimizers
    } catch let error as ConfigurationError where error.problems.first?.parameter == "configureOptimizers" {
      return []
    }
  }

  open override func onTrainStart() throws {
    try super.onTrainStart()
    try offload?.prepare()
    guard let layout = module?.trainer?.layout else { return }
    let config = try config
    var (filled, problem) = config.filled(
      batchSize: layout.batchSize, worldSize: worldSize, accumulate: plan?.accumulate ?? 1, clipping: clipping,
      precision: precision?.precisionKind ?? .float32)
    if let filledOptimizer, var block = filled["optimizer"] {
      filledOptimizer.fill(&block)
      filled.set("optimizer", block)
    }
    filledConfig = filled
    if let problem { throw ConfigurationError([problem])! }
  }

  open override func backward(_ loss: Tensor, synchronizing: Bool) throws {
    try super.backward(loss, synchronizing: synchronizing)
    let reduces = optimizers.contains { ($0 as? CompressedOptimizer)?.needsReducedGradients ?? true }
    if synchronizing, reduces, !loss.isPoisoned { try reducer?.reduce() }
  }

  open override func clipGradients(of optimizer: Optimizer, norm: Double?, value: Double?) throws {
    try super.clipGradients(of: optimizer, norm: norm ?? (value == nil ? clipping : nil), value: value)
  }

  open override func optimizerStep(_ optimizer: Optimizer) throws {
    try super.optimizerStep(optimizer)
    if let compressed = optimizer as? CompressedOptimizer, let failure = compressed.failure {
      compressed.failure = nil
      throw failure
    }
    if let failure = offload?.failure {
      offload?.failure = nil
      throw failure
    }
  }

  override func willSave() throws {
    try super.willSave()
    try prepareStateForSaving()
  }

  override func willSaveAlone() throws {
    try super.willSaveAlone()
    try prepareStateForSaving()
  }

  /// A sharded checkpoint is written from the disk; for a single file the optimizers get their state back.
  private func prepareStateForSaving() throws {
    if stateDictType == .sharded { try offload?.checkState() } else { try offload?.release() }
  }

  private var compressedOptimizers: [CompressedOptimizer] { optimizers.compactMap { $0 as? CompressedOptimizer } }

  /// Between two meetings of ``ZeroOneAdam`` they are not.
  open override var hasEqualReplicas: Bool { !compressedOptimizers.contains(where: \.isApart) }

  /// What compression has lost is on all ranks.
  override var stopsTogether: Bool { super.stopsTogether || worldSize > 1 && !compressedOptimizers.isEmpty }

  /// What belongs to each rank comes to rank 0 for a single file; into a folder every rank writes its own.
  open override func optimizerState() throws -> [ArchiveValue] {
    try zip(optimizers, super.optimizerState()).map { optimizer, state in
      guard let optimizer = optimizer as? CompressedOptimizer else { return state }
      if isSavingAlone { return RankState.mapped(state) { _ in nil } }
      return stateDictType == .sharded ? state : try optimizer.gathered(state)
    }
  }

  override var ranksForSaving: any RankExchange {
    guard group == nil, let ranks = compressedOptimizers.first?.processGroup else { return super.ranksForSaving }
    return GroupRanks(group: ranks)
  }

  override var keepsStateElsewhere: Bool { offload != nil }

  override func stateWithPlaceholders(of optimizer: Optimizer) -> ArchiveValue? {
    offload?.stateWithPlaceholders(of: optimizer)
  }

  override func storedState(
    _ name: String, of parameter: AnyParameter, in optimizer: Optimizer
  ) -> (any StoredElements)? { offload?.stored(name, of: parameter, in: optimizer) }

  override func take(_ state: IncomingState, of optimizer: Optimizer) throws { offload?.take(state, of: optimizer) }

  override func finishRun() throws {
    keepsOffload = offload?.isOnDisk == true && engine?.isDeferred == true
    if !keepsOffload { try offload?.release() }
    try super.finishRun()
  }

  open override func tearDown() {
    reducer = nil
    checkpoints?.remove()
    checkpoints = nil
    if !keepsOffload { endOffload() }
    (precision as? LossScalingPrecision)?.reduceOverflow = nil
    super.tearDown()
  }
}

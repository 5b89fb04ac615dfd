public import Torch
public import TorchDistributed
internal import TorchNN
public import TorchOptim

/// Data parallelism as Horovod has it: named gradients, fused into buffers, reduced while backward runs; Adasum; compressed
/// gradients; process sets; ranks that run out of data.
///
/// ```swift
/// Trainer(strategy: "horovod")  // under horovodrun or mpirun
/// Trainer(strategy: .horovod(compression: .fp16, learningRateScaling: .linear), devices: 2)
/// ```
///
/// Processes that `horovodrun` or `mpirun` started are used as they are; otherwise this process starts the others.
/// Learning rates stay as the module asks for them unless `learningRateScaling` says otherwise. A rank that runs out of
/// batches contributes zeros until the last one has (`join`).
///
/// With Adasum each rank steps with its own gradients, so that momenta and the like differ between ranks. Checkpoints hold
/// the states of all ranks; resumed on another number of ranks, or from one that rank 0 wrote alone after a signal, all go
/// on with that of rank 0, which is what Horovod always does.
///
/// See Sergeev and Del Balso, Horovod: fast and easy distributed deep learning in TensorFlow,
/// https://arxiv.org/abs/1802.05799.
open class HorovodStrategy: ParallelStrategy {
  /// How gradients are reduced.
  public let reduction: DistributedOptimizer.Options
  public let learningRateScaling: LearningRateScaling
  /// Whether Adasum takes the mean of each node's ranks as one vector.
  public let isHierarchical: Bool

  /// The wrappers of the optimizers in a fit, in their order.
  public private(set) final var distributedOptimizers: [DistributedOptimizer] = []
  /// All ranks; nil outside a run.
  public private(set) final var world: ProcessSet?
  /// The further sets of ranks, in the order in which they were added.
  public final internal(set) var processSets: [ProcessSet] = []

  private let requestedSets: [[Int]]
  private let variables: HorovodVariables

  /// - Parameters:
  ///   - operation: the average or the sum of gradients, or Adasum of the updates.
  ///   - compression: the format in which gradients travel.
  ///   - fusionThreshold: the most bytes of gradients that cross the ranks together, 0 for each by itself; 128 MiB, or
  ///     `HOROVOD_FUSION_THRESHOLD`, when left out. With `deterministic` it is 0.
  ///   - gradientPredivideFactor: gradients are divided by it before they are summed up, and by the rest afterwards.
  ///   - learningRateScaling: what becomes of the learning rates on several ranks.
  ///   - hierarchical: for Adasum, take the mean of each node as one vector; `HOROVOD_HIERARCHICAL_ALLREDUCE` when left
  ///     out.
  ///   - processSets: ranks that are to have a group of their own, as ``addProcessSet(_:)`` adds them.
  ///   - timeout: seconds that joining the others, or one collective, may take; 1800, or
  ///     `HOROVOD_STALL_SHUTDOWN_TIME_SECONDS`, when left out.
  ///   - stallNotice: seconds that a rank waits for the others before it is reported where all ranks are; 60, or
  ///     `HOROVOD_STALL_CHECK_TIME_SECONDS`, when left out.
  ///   - startMethod: how the processes are started; those that exist are used as they are.
  ///   - processGroupBackend: what moves tensors between the processes; see ``ParallelStrategy``.
  public init(
    operation: HorovodOperation = .average, compression: GradientCompression = .none, fusionThreshold: Int? = nil,
    gradientPredivideFactor: Double = 1, learningRateScaling: LearningRateScaling = .none, hierarchical: Bool? = nil,
    processSets: [[Int]] = [], timeout: Double? = nil, stallNotice: Double? = nil, startMethod: StartMethod = .relaunch,
    processGroupBackend: ProcessGroupBackend? = nil,
    accelerator: Accelerator? = nil, precision: Precision? = nil, checkpointIO: (any CheckpointIO)? = nil,
    devices: [Device]? = nil, clusterEnvironment: (any ClusterEnvironment)? = nil
  ) {
    variables = HorovodVariables(ClusterEnvironments.processVariables)
    var reduction = DistributedOptimizer.Options()
    reduction.operation = operation
    reduction.compression = compression
    reduction.fusionThreshold = fusionThreshold ?? variables.fusionThreshold
    reduction.gradientPredivideFactor = gradientPredivideFactor
    self.reduction = reduction
    self.learningRateScaling = learningRateScaling
    isHierarchical = hierarchical ?? variables.isHierarchical
    requestedSets = processSets
    super.init(
      accelerator: accelerator, precision: precision, checkpointIO: checkpointIO, devices: devices,
      clusterEnvironment: clusterEnvironment, timeout: timeout ?? variables.stallShutdown ?? 1800,
      stallNotice: stallNotice ?? variables.stallNotice, startMethod: startMethod,
      processGroupBackend: processGroupBackend)
  }

  open override var strategyDescription: StrategyDescription {
    var options: [String: StrategyOption] = [:]
    if reduction.operation != .average { options["operation"] = .text(reduction.operation.rawValue) }
    if reduction.compression != .none { options["compression"] = .text(reduction.compression.rawValue) }
    if learningRateScaling != .none { options["learningRateScaling"] = .text(learningRateScaling.rawValue) }
    if startMethod != .relaunch { options["start"] = .text(startMethod.rawValue) }
    if let processGroupBackend { options["processGroupBackend"] = .text(processGroupBackend.rawValue) }
    return StrategyDescription(
      name: "horovod", summary: "One process per device; named gradients, fused and reduced during backward.",
      accelerators: [.cpu, .cuda], processes: .onePerDevice, takesNodesFromLauncher: true, options: options,
      holdings: givenPlugins)
  }

  /// Ranks that run out of batches take part with zeros.
  open override var joinsUnevenData: Bool { true }

  /// Checks the options, before anything is started.
  open override func configureLauncher() throws -> Launcher {
    var problems = variables.problems + reduction.problems
    if let plan {
      if reduction.operation == .adasum {
        let (count, what) = isHierarchical ? (plan.numNodes, "nodes") : (plan.worldSize, "ranks")
        if !Adasum.isPowerOfTwo(count) { problems.append(DistributedOptimizer.adasumProblem(count, what)) }
      }
      for set in requestedSets { problems += HorovodStrategy.problems(of: set, worldSize: plan.worldSize) }
    }
    if let error = ConfigurationError(problems) { throw error }
    return try super.configureLauncher()
  }

  open override func setUpEnvironment() throws {
    try super.setUpEnvironment()
    guard let group else { return }
    world = ProcessSet(group)
    for set in requestedSets { try addProcessSet(set) }
  }

  // MARK: Setup

  /// Checks that all ranks have the same module, then gives all of them the parameters and buffers of rank 0.
  open override func synchronizeModule() throws {
    guard let module, let group else { return }
    let signatures =
      module.namedParameters().map { TensorSignature($0.name, $0.parameter.tensor) }
      + module.namedBuffers().map { TensorSignature($0.name, $0.buffer.tensor) }
    try TensorSignature.compare(signatures, "parameters and buffers", group, ranks: Array(0..<group.size))
    try super.synchronizeModule()
  }

  open override func setUpOptimizers() throws {
    try super.setUpOptimizers()
    guard let group else { return }
    for optimizer in optimizers { try HorovodStrategy.broadcastState(of: optimizer, from: 0, group) }
    scaleLearningRates()
  }

  /// Wraps each optimizer in a ``DistributedOptimizer``.
  open override func configureModule() throws {
    guard let module, let world else { return }
    let named = module.namedParameters().map { (name: $0.name, parameter: $0.parameter as AnyParameter) }
    var options = reduction
    // Sums of fused buffers depend on what was fused.
    if let settings = module.trainer?.settings, settings.determinism != .off { options.fusionThreshold = 0 }
    let adasum = options.operation == .adasum ? try makeAdasum(world) : nil
    distributedOptimizers = try optimizers.map { optimizer in
      try DistributedOptimizer(
        optimizer, named: named, in: world, options: options, backwardPassesPerStep: module.trainer?.accumulate ?? 1,
        submitsInBackward: module.automaticOptimization, adasum: adasum)
    }
  }

  open override func state() throws -> ArchiveDictionary { try statesOfOthers() }

  open override func load(_ state: ArchiveDictionary) throws { try loadStates(state) }

  private func makeAdasum(_ world: ProcessSet) throws -> Adasum? {
    guard isHierarchical, let plan, let group = world.group, plan.processesPerNode > 1 else {
      return world.group.map { Adasum($0) }
    }
    let perNode = plan.processesPerNode
    let node = group.rank / perNode
    let local = try makeSet(Array((node * perNode)..<((node + 1) * perNode)), "node \(node)")
    let leaders = (0..<plan.numNodes).map { $0 * perNode }
    let across = leaders.count > 1 ? try makeSet(leaders, "leaders") : nil
    return Adasum(across?.group, local: local.group)
  }

  // MARK: Steps

  open override func trainingStep(_ step: ModuleStep<StepOutput>, synchronizing: Bool) throws -> StepOutput {
    if module?.automaticOptimization == true {
      for optimizer in distributedOptimizers {
        optimizer.backwardPassesPerStep = module?.trainer?.accumulate ?? 1
        if synchronizing { try optimizer.beginLastPass() }
      }
    }
    return try super.trainingStep(step, synchronizing: synchronizing)
  }

  open override func backward(_ loss: Tensor, synchronizing: Bool) throws {
    try super.backward(loss, synchronizing: synchronizing)
    for optimizer in distributedOptimizers {
      try optimizer.throwFailure()
      optimizer.isSynchronized = false
    }
    // A module that steps by itself may compute gradients several times before a step.
    guard synchronizing, !loss.isPoisoned, module?.automaticOptimization == true else { return }
    for optimizer in distributedOptimizers { try reduceGradients(of: optimizer) }
  }

  open override func joinBackward(synchronizing: Bool) throws {
    guard synchronizing else { return }
    for optimizer in distributedOptimizers {
      try optimizer.beginLastPass()
      try reduceGradients(of: optimizer)
    }
  }

  open override func clipGradients(of optimizer: Optimizer, norm: Double?, value: Double?) throws {
    if norm != nil || value != nil, let wrapper = distributed(optimizer) { try reduceGradients(of: wrapper) }
    try super.clipGradients(of: optimizer, norm: norm, value: value)
  }

  open override func prepareStep(of optimizer: Optimizer) throws {
    if let wrapper = distributed(optimizer) { try reduceGradients(of: wrapper) }
  }

  private func reduceGradients(of optimizer: DistributedOptimizer) throws {
    if reduction.operation == .adasum {
      try optimizer.throwFailure()
      if !optimizer.isSynchronized { try agreeOnFiniteness(of: optimizer) }
      optimizer.isSynchronized = true
    } else {
      try optimizer.reduceGradients()
    }
  }

  /// With a loss scale a step is left out when a gradient is not finite. With Adasum each rank has its own gradients, so a
  /// rank that has such a one tells the others to leave out the step, too.
  private func agreeOnFiniteness(of optimizer: DistributedOptimizer) throws {
    guard (precision as? MixedPrecision)?.scaler != nil, worldSize > 1 else { return }
    let gradients = optimizer.base.parameters.compactMap(\.gradient)
    let isFinite = try gradients.allSatisfy { try $0.isFinite().all().scalar() == 1 }
    if try reduceDecision(isFinite, all: true) { return }
    guard isFinite, let parameter = optimizer.base.parameters.first(where: \.requiresGradient) else { return }
    withoutGradients {
      if let gradient = parameter.gradient {
        gradient.fill(Scalar(Double.infinity))
      } else {
        let infinite = Tensor.zeros(like: parameter.tensor.detached())
        infinite.fill(Scalar(Double.infinity))
        parameter.gradient = infinite
      }
    }
  }

  open override func optimizerStep(_ optimizer: Optimizer) throws {
    guard let wrapper = distributed(optimizer) else { return try super.optimizerStep(optimizer) }
    if reduction.operation == .adasum {
      try wrapper.reduceUpdates { try super.optimizerStep(optimizer) }
    } else {
      try super.optimizerStep(optimizer)
    }
    wrapper.isSynchronized = false
  }

  private func distributed(_ optimizer: Optimizer) -> DistributedOptimizer? {
    distributedOptimizers.first { $0.base === optimizer }
  }

  open override func tearDown() {
    distributedOptimizers = []
    processSets = []
    world = nil
    super.tearDown()
  }
}

extension StrategyConvertible where Self == HorovodStrategy {
  /// Horovod's data parallelism with options; see ``HorovodStrategy``.
  public static func horovod(
    operation: HorovodOperation = .average, compression: GradientCompression = .none, fusionThreshold: Int? = nil,
    gradientPredivideFactor: Double = 1, learningRateScaling: LearningRateScaling = .none, hierarchical: Bool? = nil,
    processSets: [[Int]] = [], timeout: Double? = nil, stallNotice: Double? = nil, startMethod: StartMethod = .relaunch,
    processGroupBackend: ProcessGroupBackend? = nil
  ) -> HorovodStrategy {
    HorovodStrategy(
      operation: operation, compression: compression, fusionThreshold: fusionThreshold,
      gradientPredivideFactor: gradientPredivideFactor, learningRateScaling: learningRateScaling,
      hierarchical: hierarchical, processSets: processSets, timeout: timeout, stallNotice: stallNotice,
      startMethod: startMethod,
      processGroupBackend: processGroupBackend)
  }
}

extension StrategyConvertible where Self == StrategyName {
  /// One process for each device, gradients reduced by name; see ``HorovodStrategy``.
  public static var horovod: StrategyName { StrategyName(rawValue: "horovod") }
}

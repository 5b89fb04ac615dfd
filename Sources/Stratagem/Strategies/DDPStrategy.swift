public import Torch
public import TorchDistributed
internal import TorchNN
public import TorchOptim

/// Distributed data parallel: every process has the whole model and its part of each batch; gradients are averaged
/// over the processes while backward runs.
///
/// See "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", https://arxiv.org/abs/2006.15704,
/// and PyTorch's `DistributedDataParallel`.
open class DDPStrategy: ParallelStrategy {
  /// How gradients are reduced.
  public let reduction: GradientReducer.Options
  /// Whether running statistics and other buffers of rank 0 are given to all ranks before each forward.
  public let broadcastBuffers: Bool

  /// What reduces the gradients instead of an all-reduce; nil for none.
  public let communicationHook: (any CommunicationHook)?

  /// What averages the models of the ranks, where gradients are not averaged in each step; nil for nothing.
  public let modelAverager: (any ModelAveraging)?
  private var localModels: LocalModels?

  /// What reduces the gradients in a fit; made by ``configureDDP()``.
  public final var wrapper: DistributedDataParallel?

  /// - Parameters:
  ///   - findUnusedParameters: look in every step for parameters that the loss does not depend on.
  ///   - bucketMegabytes: how much is reduced together.
  ///   - gradientAsBucketView: let gradients be views of the buckets, which saves their memory.
  ///   - staticGraph: every step uses the same parameters in the same order.
  ///   - broadcastBuffers: give the buffers of rank 0 to all ranks before each forward.
  ///   - communicationHook: what reduces the gradients, such as `.bf16Compress` or a closure; Lightning's `ddp_comm_hook`
  ///     and `ddp_comm_state` in one.
  ///   - communicationWrapper: what gives the hook gradients of another type; Lightning's `ddp_comm_wrapper`.
  ///   - modelAveragingPeriod: average the models every so many steps after the local phase of `.postLocalSGD` began.
  ///   - modelAverager: averages the models in another way, such as `.hierarchical(...)`.
  ///   - timeout: seconds that joining the others, or one collective, may take.
  ///   - stallNotice: seconds that a rank waits for the others before it is reported where all ranks are.
  ///   - startMethod: how the processes are started; those that a cluster or torchrun started are used as they are.
  ///   - processGroupBackend: what moves tensors between the processes; see ``ParallelStrategy``.
  public init(
    findUnusedParameters: Bool = false, bucketMegabytes: Double = 25, gradientAsBucketView: Bool = false,
    staticGraph: Bool = false, broadcastBuffers: Bool = true, communicationHook: (any CommunicationHook)? = nil,
    communicationWrapper: CommunicationWrapper? = nil, modelAveragingPeriod: Int? = nil,
    modelAverager: (any ModelAveraging)? = nil, timeout: Double = 1800, stallNotice: Double = 30,
    startMethod: StartMethod = .relaunch,
    processGroupBackend: ProcessGroupBackend? = nil,
    accelerator: Accelerator? = nil, precision: Precision? = nil, checkpointIO: (any CheckpointIO)? = nil,
    devices: [Device]? = nil, clusterEnvironment: (any ClusterEnvironment)? = nil
  ) {
    var reduction = GradientReducer.Options()
    reduction.findUnusedParameters = findUnusedParameters
    reduction.bucketByteCount = max(1, Int(bucketMegabytes * 1_048_576))
    reduction.gradientAsBucketView = gradientAsBucketView
    reduction.staticGraph = staticGraph
    self.reduction = reduction
    self.broadcastBuffers = broadcastBuffers
    let hook = communicationWrapper.map { $0(communicationHook ?? AllReduceHook()) } ?? communicationHook
    self.communicationHook = hook
    self.modelAverager =
      modelAverager
      ?? modelAveragingPeriod.map {
        PeriodicModelAverager(period: $0, warmupSteps: PostLocalSGDHook.within(hook)?.startStep ?? 0)
      }
    super.init(
      accelerator: accelerator, precision: precision, checkpointIO: checkpointIO, devices: devices,
      clusterEnvironment: clusterEnvironment, timeout: timeout, stallNotice: stallNotice, startMethod: startMethod,
      processGroupBackend: processGroupBackend)
  }

  open override var strategyDescription: StrategyDescription {
    var options: [String: StrategyOption] = [:]
    if reduction.findUnusedParameters { options["findUnusedParameters"] = .flag(true) }
    if let communicationHook { options["communicationHook"] = .text(communicationHook.name) }
    if startMethod != .relaunch { options["start"] = .text(startMethod.rawValue) }
    if let processGroupBackend { options["processGroupBackend"] = .text(processGroupBackend.rawValue) }
    return StrategyDescription(
      name: "ddp", summary: "One process per device; gradients averaged during backward.",
      accelerators: [.cpu, .cuda], processes: .onePerDevice, options: options, holdings: givenPlugins)
  }

  open override func configureModule() throws {
    try configureModelAveraging()
    try configureDDP()
  }

  /// Wraps the module in what reduces its gradients; override it to set ``wrapper`` to one of your own.
  open func configureDDP() throws {
    guard let module, let group else { return }
    wrapper = try BucketedDataParallel(
      module, group, reduction, broadcastBuffers: broadcastBuffers, hook: communicationHook)
  }

  open override func trainingStep(_ step: ModuleStep<StepOutput>, synchronizing: Bool) throws -> StepOutput {
    if synchronizing { try wrapper?.willRunForward() }
    return try super.trainingStep(step, synchronizing: synchronizing)
  }

  open override func backward(_ loss: Tensor, synchronizing: Bool) throws {
    if synchronizing { try wrapper?.willRunBackward(from: loss) }
    try super.backward(loss, synchronizing: synchronizing)
    if synchronizing && !loss.isPoisoned { try wrapper?.didRunBackward() }
  }

  open override func optimizerStep(_ optimizer: Optimizer) throws {
    try super.optimizerStep(optimizer)
    try localModels?.didStep()
  }

  open override func prepareForEvaluation() throws {
    try super.prepareForEvaluation()
    try localModels?.showMean()
  }

  open override func onValidationEnd() throws {
    try super.onValidationEnd()
    localModels?.hideMean()
  }

  open override func onTrainEnd() throws {
    try super.onTrainEnd()
    try localModels?.unite()
  }

  /// Where models are averaged, the state of the optimizers differs.
  open override var hasEqualReplicas: Bool { modelAverager == nil }

  open override func moduleState() throws -> StateDictionary {
    guard let localModels, !isSavingAlone else { return try super.moduleState() }
    return try localModels.withMean { try super.moduleState() }
  }

  open override func state() throws -> ArchiveDictionary {
    guard !isSavingAlone, let group, let communicationHook else { return [:] }
    var state: ArchiveDictionary = ["communicationHook": .dictionary(try communicationHook.state(in: group))]
    state["hookName"] = .string(communicationHook.name)
    if let wrapper = wrapper as? BucketedDataParallel { state["buckets"] = wrapper.layoutArchive }
    if let modelAverager { state["averagerStep"] = .int(modelAverager.step) }
    return state
  }

  open override func load(_ state: ArchiveDictionary) throws {
    guard let group, let communicationHook, state["hookName"]?.stringValue == communicationHook.name else { return }
    try communicationHook.load(state["communicationHook"]?.dictionaryValue ?? [:], in: group)
    try (wrapper as? BucketedDataParallel)?.restore(state["buckets"])
    if let step = state["averagerStep"]?.intValue { modelAverager?.step = step }
  }

  /// Checks that hook, averager and optimizers go together, and prepares the averaging.
  private func configureModelAveraging() throws {
    let local = PostLocalSGDHook.within(communicationHook)
    local?.ranksPerNode = plan?.processesPerNode
    guard let group, let module else { return }
    switch (local, modelAverager) {
    case (nil, nil): return
    case (let local?, let modelAverager?):
      try LocalModels.check(local, modelAverager, optimizers)
      try ConfigurationError.ofHooks { try modelAverager.prepare(in: group) }
      localModels = LocalModels(modelAverager, group, module.parameters().filter(\.requiresGradient).map(\.tensor))
    case (_?, nil):
      throw ConfigurationError(
        "modelAveragingPeriod", "communicationHook is postLocalSGD, but nothing averages the models",
        suggestion: "give modelAveragingPeriod, or a modelAverager")
    case (nil, _?):
      throw ConfigurationError(
        "modelAverager", "models are to be averaged, but gradients are averaged in each step already",
        suggestion: "give the communicationHook .postLocalSGD(startStep:), or leave the averaging out")
    }
  }

  open override func tearDown() {
    wrapper = nil
    localModels = nil
    super.tearDown()
  }
}

extension StrategyConvertible where Self == DDPStrategy {
  /// Distributed data parallel with options; see ``DDPStrategy``.
  public static func ddp(
    findUnusedParameters: Bool = false, bucketMegabytes: Double = 25, gradientAsBucketView: Bool = false,
    staticGraph: Bool = false, broadcastBuffers: Bool = true, communicationHook: (any CommunicationHook)? = nil,
    communicationWrapper: CommunicationWrapper? = nil, modelAveragingPeriod: Int? = nil,
    modelAverager: (any ModelAveraging)? = nil, timeout: Double = 1800, stallNotice: Double = 30,
    startMethod: StartMethod = .relaunch,
    processGroupBackend: ProcessGroupBackend? = nil
  ) -> DDPStrategy {
    DDPStrategy(
      findUnusedParameters: findUnusedParameters, bucketMegabytes: bucketMegabytes,
      gradientAsBucketView: gradientAsBucketView, staticGraph: staticGraph, broadcastBuffers: broadcastBuffers,
      communicationHook: communicationHook, communicationWrapper: communicationWrapper,
      modelAveragingPeriod: modelAveragingPeriod, modelAverager: modelAverager, timeout: timeout,
      stallNotice: stallNotice, startMethod: startMethod,
      processGroupBackend: processGroupBackend)
  }
}

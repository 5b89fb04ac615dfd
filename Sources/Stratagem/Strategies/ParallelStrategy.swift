public import Torch
public import TorchDistributed
internal import TorchNN

/// A strategy of several processes, one per device, that communicate through a process group.
open class ParallelStrategy: Strategy {
  /// Seconds that one collective, or joining the others once all have started, may take.
  public let timeout: Double
  /// Seconds that the processes may take to start, however short the time for a collective is.
  private static let startingTime = 60.0
  /// The processes of the run; nil outside a run.
  public private(set) final var group: ProcessGroup?
  /// Seconds that a rank waits for the others before it is reported where all ranks are.
  public let stallNotice: Double
  /// How the processes are started.
  public let startMethod: StartMethod
  /// What moves tensors between the processes, as it was asked for; the plan of a run says what was chosen.
  public let processGroupBackend: ProcessGroupBackend?
  private var watchdog: StallWatchdog?
  /// The same processes, for a thread that writes checkpoints.
  private var backgroundGroup: ProcessGroup?

  /// - Parameter processGroupBackend: nil for `PL_TORCH_DISTRIBUTED_BACKEND` in the environment, else NCCL on GPUs and Gloo
  ///   on processors.
  public init(
    accelerator: Accelerator? = nil, precision: Precision? = nil, checkpointIO: (any CheckpointIO)? = nil,
    devices: [Device]? = nil, clusterEnvironment: (any ClusterEnvironment)? = nil, timeout: Double = 1800,
    stallNotice: Double = 30, startMethod: StartMethod = .relaunch, processGroupBackend: ProcessGroupBackend? = nil
  ) {
    self.timeout = timeout
    self.stallNotice = stallNotice
    self.startMethod = startMethod
    self.processGroupBackend = processGroupBackend
    super.init(
      accelerator: accelerator, precision: precision, checkpointIO: checkpointIO, devices: devices,
      clusterEnvironment: clusterEnvironment)
  }

  open override var rank: Int {
    launcher.world?.rank ?? plan?.rank ?? plan.map { $0.nodeRank * $0.processesPerNode } ?? 0
  }
  open override var localRank: Int { launcher.world?.localRank ?? plan?.localRank ?? 0 }
  open override var worldSize: Int { launcher.world?.worldSize ?? plan?.worldSize ?? 1 }

  open override var rootDevice: Device {
    guard let devices = plan?.devices, !devices.isEmpty else { return .cpu }
    return devices[min(localRank, devices.count - 1)]
  }

  /// What watches over the worker processes, in the process that started them.
  public final var supervisor: Supervisor? { launcher.supervisor }

  /// Processes that somebody else started are used as they are; otherwise the start method counts.
  open override func configureLauncher() throws -> Launcher {
    guard let plan else { return try super.configureLauncher() }
    let layout = ProcessLayout(plan)
    let joinTimeout = min(max(timeout, Self.startingTime), 300)
    if plan.cluster.createsProcessesExternally, !WorkerProcess.isWorker {
      return ExternalLauncher(layout, joinTimeout: joinTimeout)
    }
    return switch startMethod {
    case .relaunch: RelaunchLauncher(layout, joinTimeout: joinTimeout)
    case .spawn: SpawnLauncher(layout, joinTimeout: joinTimeout)
    case .fork: ForkLauncher(layout, joinTimeout: joinTimeout)
    }
  }

  open override func setUpEnvironment() throws {
    try super.setUpEnvironment()
    supervisor?.setRunActive(true)
    guard let world = launcher.world else { return }
    if timeout < Self.startingTime { try world.meet("started", within: Self.startingTime) }
    let group = try world.makeGroup(
      timeout: timeout, backend: plan?.processGroupBackend ?? .gloo, device: rootDevice)
    self.group = group
    guard world.worldSize > 1 else { return }
    watchdog = StallWatchdog(
      StallWatchdog.Run(
        identity: world.identity, host: world.host, port: world.store.port, number: world.groups, notice: stallNotice,
        timeout: timeout), group.activity)
  }

  open override func trainingStep(_ step: ModuleStep<StepOutput>, synchronizing: Bool) throws -> StepOutput {
    group?.activity.beginBatch(.training)
    return try super.trainingStep(step, synchronizing: synchronizing)
  }

  open override func validationStep(_ step: ModuleStep<StepOutput>) throws -> StepOutput {
    group?.activity.beginBatch(.validation)
    return try super.validationStep(step)
  }

  open override func testStep(_ step: ModuleStep<StepOutput>) throws -> StepOutput {
    group?.activity.beginBatch(.test)
    return try super.testStep(step)
  }

  open override func predictStep(_ step: ModuleStep<Tensor?>) throws -> Tensor? {
    group?.activity.beginBatch(.prediction)
    return try super.predictStep(step)
  }

  override func explained(_ error: any Error) -> any Error { watchdog?.explanation(of: error) ?? error }

  override func waitForPreparation() throws {
    group?.activity.enter(.preparation)
    defer { group?.activity.leave() }
    try launcher.world?.meet("prepared")
  }

  open override func setUp(_ stage: Stage) throws {
    if stage == .fit, let module, let group { try layerSync?.apply(to: module, in: group) }
    try super.setUp(stage)
    if let group { for optimizer in partitionedOptimizers { try optimizer.join(group) } }
  }

  private var partitionedOptimizers: [ZeroRedundancyOptimizer] {
    optimizers.compactMap { $0 as? ZeroRedundancyOptimizer }
  }

  open override func optimizerState() throws -> [ArchiveValue] {
    if !isSavingAlone { for optimizer in partitionedOptimizers { try optimizer.consolidate() } }
    defer { for optimizer in partitionedOptimizers { optimizer.forgetOthers() } }
    return try super.optimizerState()
  }

  override func ranksInBackground() throws -> (any RankExchange)? {
    guard let group, let world = launcher.world, group.size > 1 else { return try super.ranksInBackground() }
    if let backgroundGroup { return GroupRanks(group: backgroundGroup) }
    let made = try world.makeGroup(
      "checkpoints", of: Array(0..<world.worldSize), timeout: timeout, activity: CollectiveActivity(), forGPUs: false)
    backgroundGroup = made
    return GroupRanks(group: made)
  }

  override var isWholeOnRankZero: Bool { super.isWholeOnRankZero && (worldSize == 1 || partitionedOptimizers.isEmpty) }

  open override func synchronizeModule() throws {
    guard let group, let module else { return }
    let tensors = module.parameters().map { $0.tensor.detached() } + module.namedBuffers().map { $0.buffer.tensor }
    try group.broadcast(tensors)
  }

  /// Evaluation with the statistics of rank 0 everywhere, so that the result does not depend on the number of ranks.
  open override func prepareForEvaluation() throws {
    guard worldSize > 1, let group, let module else { return }
    let buffers = module.namedBuffers().map { $0.buffer.tensor }
    if !buffers.isEmpty { try group.broadcast(buffers) }
  }

  open override func reduce(_ tensor: Tensor, by operation: Reduction = .mean) throws -> Tensor {
    guard let group else { return tensor }
    let result = withoutGradients { tensor.detached().clone() }
    try group.allReduce(result, by: operation)
    return result
  }

  open override func broadcast<Value: Codable>(_ value: Value, from source: Int = 0) throws -> Value {
    try group?.broadcast(object: value, from: source) ?? value
  }

  open override func broadcast(_ tensor: Tensor, from source: Int = 0) throws {
    try group?.broadcast(tensor, from: source)
  }

  open override func allGather(_ tensor: Tensor, syncGradients: Bool = false) throws -> [Tensor] {
    try group?.allGather(tensor, syncGradients: syncGradients) ?? [tensor]
  }

  open override func allGather<Value: Codable>(object value: Value) throws -> [Value] {
    try group?.allGather(object: value) ?? [value]
  }

  open override func barrier() throws { try group?.barrier() }

  open override func reduceDecision(_ decision: Bool, all: Bool = true) throws -> Bool {
    let votes = try reduce(Tensor([decision ? 1 : 0]), by: .sum).integer()
    return all ? votes == worldSize : votes > 0
  }

  /// A worker passes the barrier, and may end, only after rank 0 has stopped to expect it. By then no GPU has anything left
  /// to do for another rank.
  override func finishRun() throws {
    supervisor?.setRunActive(false)
    if group?.backend == .nccl { try TorchRuntime.synchronize(rootDevice) }
    try barrier()
  }

  /// The GPUs of the others may never send what this one waits for.
  open override func onException(_ error: any Error) {
    super.onException(error)
    if group?.backend == .nccl { ProcessGroup.abortNCCL() }
  }

  open override func tearDown() {
    supervisor?.setRunActive(false)
    watchdog?.stop()
    watchdog = nil
    layerSync?.revert()
    group = nil
    backgroundGroup = nil
    super.tearDown()
  }
}

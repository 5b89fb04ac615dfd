public import Torch
public import TorchData
public import TorchDistributed
public import TorchNN
public import TorchOptim

/// How a model is distributed over processes and devices in training, evaluation and prediction.
///
/// A strategy launches and tears down the processes, sets up the communication between them, gives one interface for
/// reduction and broadcast, owns the module, its optimizers and schedules, and holds the accelerator, precision and
/// checkpoint plugins. Subclass it, or a subclass such as ``DDPStrategy``, and override what differs.
open class Strategy: StrategyDescribing, StrategyConvertible {
  /// Filled in by the trainer from the run's plan when it was not given.
  public final var accelerator: Accelerator?
  public final var precision: Precision?
  public final var checkpointIO: (any CheckpointIO)?
  /// What makes layers work together over the processes of a fit; nil for nothing.
  public final var layerSync: (any LayerSync)?
  public internal(set) final var plan: RunPlan?
  /// How the processes of a run come to exist; what ``configureLauncher()`` made for the plan.
  public internal(set) final var launcher = Launcher()

  public private(set) final var module: AnyLightningModule?
  public private(set) final var optimizers: [Optimizer] = []
  public private(set) final var schedules: [OptimizerPlan.Schedule] = []
  /// The optimizers as a module with manual optimization steps them.
  public private(set) final var lightningOptimizers: [LightningOptimizer] = []
  /// The device that batches have to be moved to.
  private var transferTarget = Device.cpu
  /// The parameters, found once a run.
  public private(set) final var parameters: [AnyParameter] = []
  /// The precision as the first fit found it.
  private var initialPrecision: (owner: Precision, state: ArchiveDictionary)?
  /// What splits every step among several devices of this process; nil for one device.
  final var replicas: ReplicaGroup?

  /// Makes a strategy; what is left out, the trainer fills in, and what is given must not be given to the trainer too.
  ///
  /// - Parameters:
  ///   - devices: the devices of this node, one for each process or replica.
  ///   - clusterEnvironment: tells the place of this process, instead of what the environment variables describe.
  public init(
    accelerator: Accelerator? = nil, precision: Precision? = nil, checkpointIO: (any CheckpointIO)? = nil,
    devices: [Device]? = nil, clusterEnvironment: (any ClusterEnvironment)? = nil
  ) {
    self.accelerator = accelerator
    self.precision = precision
    self.checkpointIO = checkpointIO
    self.clusterEnvironment = clusterEnvironment
    var plugins: Set<PluginRole> = []
    if checkpointIO != nil { plugins.insert(.checkpointIO) }
    if clusterEnvironment != nil { plugins.insert(.clusterEnvironment) }
    givenPlugins = StrategyHoldings(
      accelerator: accelerator?.acceleratorKind, devices: devices, precision: precision?.precisionKind,
      plugins: plugins)
  }

  public let clusterEnvironment: (any ClusterEnvironment)?

  /// How checkpoints are written: by rank 0 into one file, or by all ranks into a folder. Both kinds can be loaded whatever
  /// this says.
  public final var stateDictType: StateDictType {
    get { givenStateDictType ?? chosenStateDictType ?? .full }
    set { givenStateDictType = newValue }
  }
  private(set) final var givenStateDictType: StateDictType?
  /// What suits the module of the run when nobody has said anything.
  final var chosenStateDictType: StateDictType?

  /// The plugins the user gave, as opposed to those the trainer filled in.
  public let givenPlugins: StrategyHoldings

  public var strategyReference: StrategyReference { .instance(self) }

  // What the trainer has to know
  /// Whether weights are loaded after ``setUp(_:)``, because that is when parameters exist, instead of before it.
  open var restoresCheckpointAfterSetUp: Bool { false }
  /// Whether each rank reads of a checkpoint, also of a single file, what it holds after ``setUp(_:)``, and nothing else.
  open var readsCheckpointsInParts: Bool { restoresCheckpointAfterSetUp }
  /// Whether the trainer restores the state of optimizers and schedules; otherwise the strategy does.
  open var restoresOptimizer: Bool { true }
  /// Whether the strategy accumulates the gradients of several batches itself: every batch then ends with a step.
  open var handlesGradientAccumulation: Bool { false }
  /// Whether ranks may have different numbers of batches: those that have no more take part in the steps of the others by
  /// ``joinBackward(synchronizing:)``.
  open var joinsUnevenData: Bool { false }
  /// Where the elements of partitioned parameters are in a fit; empty when every rank holds everything.
  open var parameterPlacements: [ParameterPlacement] { [] }
  /// Whether all ranks have the same bits in what is not partitioned, so that they can share the work of writing it into a
  /// sharded checkpoint; otherwise the values of rank 0 are written.
  open var hasEqualReplicas: Bool { true }
  /// How the samples are dealt: among how many, and which part is that of this process.
  open var samplerShard: (count: Int, index: Int) { (worldSize, rank) }

  /// What the strategy is and needs.
  open var strategyDescription: StrategyDescription {
    StrategyDescription(
      name: "\(type(of: self))", accelerators: [.cpu, .cuda], processes: .one, maximumDevices: 1,
      holdings: givenPlugins)
  }

  // Where this process stands
  open var rank: Int { 0 }
  open var localRank: Int { 0 }
  open var worldSize: Int { 1 }
  open var rootDevice: Device { plan?.rootDevice ?? .cpu }
  /// True on the one rank that prints and writes files.
  public final var isGlobalZero: Bool { rank == 0 && !isShadow }

  /// True for a trainer of one process inside a worker, which repeats what the process that started it does.
  private var isShadow: Bool { isInWorker && worldSize == 1 && launcher.isRepeatedInWorkers }
  private let isInWorker = WorkerProcess.isWorker

  /// Remembers the module and lets go of what the run before left. Called at the start of every run.
  public final func connect(_ module: AnyLightningModule) {
    if module !== self.module { chosenStateDictType = nil }
    self.module = module
    optimizers = []
    lightningOptimizers = []
    schedules = []
    parameters = []
  }

  /// Makes what starts the processes of a run. Called once, when the trainer has made its plan; a strategy of one process
  /// needs none.
  open func configureLauncher() throws -> Launcher { InProcessLauncher() }

  /// The plugin of a precision that the user asked for by name.
  func makePrecision(_ kind: PrecisionKind) -> Precision { Precision.make(kind) }

  /// Checks the arguments of the trainer that the plan does not have. Called once, when the plan is made.
  func check(_ settings: TrainerSettings) throws(ConfigurationError) {}

  /// Sets up the device and the communication, in a process that the launcher made or found.
  open func setUpEnvironment() throws { try accelerator?.setUpDevice(rootDevice) }

  /// Moves the module, makes the optimizer when training, and prepares the distribution. The module has the number format
  /// of the run by then.
  open func setUp(_ stage: Stage) throws {
    guard let module else { return }
    try module.checkStructure()
    try materializeModule()
    transferTarget = rootDevice
    if transferTarget != .cpu { module.to(transferTarget) }
    parameters = module.parameters()
    if stage == .fit {
      try renewPrecision()
      try synchronizeModule()
      try setUpOptimizers()
      try configureModule()
    } else {
      try synchronizeModule()
    }
  }

  /// Lets a fit begin with the loss scale, and whatever else the precision keeps, that the first one began with.
  private func renewPrecision() throws {
    guard let precision else { return }
    if let initial = initialPrecision, initial.owner === precision {
      if !initial.state.isEmpty { try precision.load(initial.state) }
    } else {
      initialPrecision = (precision, precision.state())
    }
  }

  /// Gives the parameters and buffers that `withDeferredInitialization(_:)` left without memory their initial values.
  ///
  /// A strategy that partitions parameters overrides it, so that no process ever holds all of them: it asks each for its
  /// `initialTensor()`, one after the other, and keeps its part.
  open func materializeModule() throws { try module?.materialize() }

  /// Asks the module for its optimizers and schedules.
  /// The optimizers and schedules of a fit: those that the module asks for.
  open func makeOptimizerPlan() throws -> OptimizerPlan { try module?.configureOptimizers() ?? OptimizerPlan([]) }

  /// Makes the optimizers and schedules.
  open func setUpOptimizers() throws {
    let plan = try makeOptimizerPlan()
    optimizers = plan.optimizers
    lightningOptimizers = optimizers.map { LightningOptimizer($0, self) }
    schedules = plan.schedules
  }

  /// Puts other schedules in the place of those of the plan.
  public final func replaceSchedules(_ schedules: [OptimizerPlan.Schedule]) { self.schedules = schedules }

  /// The first optimizer: the only one unless the module steps several itself.
  public final var optimizer: Optimizer? { optimizers.first }

  /// Gives all ranks the parameters and buffers of rank 0.
  open func synchronizeModule() throws {}

  /// Prepares the module for distributed training, after the optimizer was made.
  open func configureModule() throws {}

  // Steps
  /// Runs the module's training step; `synchronizing` is false for a micro-batch that only accumulates gradients.
  open func trainingStep(_ step: ModuleStep<StepOutput>, synchronizing: Bool) throws -> StepOutput {
    try replicas?.trainingStep(step, inPrecision) ?? inPrecision(step)
  }

  open func validationStep(_ step: ModuleStep<StepOutput>) throws -> StepOutput { try evaluated(step) }

  open func testStep(_ step: ModuleStep<StepOutput>) throws -> StepOutput { try evaluated(step) }

  open func predictStep(_ step: ModuleStep<Tensor?>) throws -> Tensor? {
    guard let replicas else { return try inPrecision(step) }
    return try replicas.predictionStep(step, inPrecision)
  }

  private func evaluated(_ step: ModuleStep<StepOutput>) throws -> StepOutput {
    try replicas?.evaluationStep(step, inPrecision) ?? inPrecision(step)
  }

  /// Runs a step in the number format of the run.
  public final func inPrecision<Result>(_ step: ModuleStep<Result>) throws -> Result {
    guard let precision else { return try step() }
    return try precision.forward { try step() }
  }

  /// Called before an evaluation, on all ranks.
  open func prepareForEvaluation() throws {}

  /// Called before the batches of a loader in an evaluation or prediction, on all ranks.
  ///
  /// - Parameter batches: those of this rank; the other ranks may have more or fewer.
  open func beginEvaluation(batches: Int) throws {}

  /// Called after the batches of a loader in an evaluation or prediction, on all ranks.
  open func endEvaluation() throws {}

  /// Computes the gradients; `synchronizing` as in ``trainingStep(_:synchronizing:)``.
  ///
  /// Subclasses do what comes before and after the computation, and call `super`.
  open func backward(_ loss: Tensor, synchronizing: Bool) throws {
    guard let module else { return }
    func compute() throws {
      if let precision { try precision.backward(loss, module.backward) } else { try module.backward(loss) }
    }
    if let replicas { try replicas.backward(compute) } else { try compute() }
  }

  /// Takes part in the reduction of gradients of a batch that only other ranks have; called where
  /// ``joinsUnevenData`` is true.
  open func joinBackward(synchronizing: Bool) throws {}

  /// Called before the gradients of an optimizer are unscaled, looked at and clipped: a strategy that reduces them late
  /// does it here.
  open func prepareStep(of optimizer: Optimizer) throws {}

  /// Performs an update; gradients are unscaled and clipped by then.
  open func optimizerStep(_ optimizer: Optimizer) throws {
    if let precision { try precision.step(optimizer) } else { optimizer.performStep() }
  }

  /// Limits the gradients of an optimizer: all together to a norm, or each element to a value.
  open func clipGradients(of optimizer: Optimizer, norm: Double?, value: Double?) throws {
    if let norm { GradientClipping.clipNorm(optimizer.parameters, maximum: norm) }
    if let value { GradientClipping.clipValue(optimizer.parameters, maximum: value) }
  }

  /// Whether backward reduces the gradients over the ranks; false inside ``noSync(_:)``.
  public private(set) final var isSynchronizing = true

  /// Runs `body`, whose backward passes leave the gradients of each rank as they are. The next backward outside reduces
  /// their sum.
  public final func noSync<Result>(_ body: () throws -> Result) rethrows -> Result {
    let before = isSynchronizing
    isSynchronizing = false
    defer { isSynchronizing = before }
    return try body()
  }

  /// The loader as this strategy uses it: the part of the samples of this process.
  ///
  /// - Parameter policy: what happens with samples that do not go round.
  open func process<Batch>(_ loader: DataLoader<Batch>, _ policy: Shard.Policy) -> DataLoader<Batch> {
    let shard = samplerShard
    return shard.count > 1 ? loader.distributed(worldSize: shard.count, rank: shard.index, policy: policy) : loader
  }

  // Moments of a run, after the hooks of callbacks and module
  open func onTrainStart() throws {}
  open func onTrainEnd() throws {}
  open func onTrainBatchStart(_ index: Int) throws {}
  open func onValidationStart() throws {}
  open func onValidationEnd() throws {}
  open func onTestStart() throws {}
  open func onTestEnd() throws {}
  open func onPredictStart() throws {}
  open func onPredictEnd() throws {}
  /// A run failed; called on the rank that noticed, without communication.
  open func onException(_ error: any Error) {}

  /// A batch on the device and in the number format of this process.
  final func prepared<Batch>(_ batch: Batch, for module: LightningModule<Batch>, loader: Int) throws -> Batch {
    var batch = try module.onBeforeBatchTransfer(batch, loader: loader)
    batch = try module.transfer(batch, to: transferTarget)
    batch = try module.onAfterBatchTransfer(batch, loader: loader)
    if let dtype = precision?.inputType { batch = try module.convert(batch, to: dtype) }
    return batch
  }

  // Communication: on one process every answer is the question.
  /// Replaces `tensor` by its reduction over the ranks.
  open func reduce(_ tensor: Tensor, by operation: Reduction = .mean) throws -> Tensor { tensor }
  open func broadcast<Value: Codable>(_ value: Value, from source: Int = 0) throws -> Value { value }
  open func broadcast(_ tensor: Tensor, from source: Int = 0) throws {}
  /// The tensors of all ranks in rank order; their first dimensions may differ.
  ///
  /// - Parameter syncGradients: let gradients flow back through it; backward is then a collective, too.
  open func allGather(_ tensor: Tensor, syncGradients: Bool = false) throws -> [Tensor] { [tensor] }
  open func allGather<Value: Codable>(object value: Value) throws -> [Value] { [value] }
  /// Waits until all ranks have come here.
  open func barrier() throws {}
  /// The number that rank 0 has, on every rank; nil when it has none.
  public final func broadcast(number: Double?) throws -> Double? {
    guard worldSize > 1 else { return number }
    let message = Tensor([number ?? 0, number == nil ? 0 : 1])
    try broadcast(message)
    let received = try message.array(as: Double.self)
    return received[1] == 1 ? received[0] : nil
  }
  /// Whether the decision is true on all ranks, or, with `all: false`, on any.
  open func reduceDecision(_ decision: Bool, all: Bool = true) throws -> Bool { decision }

  // Checkpoints
  /// What has to be in a checkpoint beside module and optimizers so that the strategy goes on exactly. Called on all ranks;
  /// that of rank 0 is kept.
  open func state() throws -> ArchiveDictionary { [:] }

  /// Takes over ``state()``, which another number of ranks may have written. Called on all ranks before the first step.
  open func load(_ state: ArchiveDictionary) throws {}

  /// Whether rank 0 saves without the other ranks, which cannot be asked any more: after a signal or an error.
  public internal(set) final var isSavingAlone = false

  /// The state of the module as it goes into a checkpoint.
  open func moduleState() throws -> StateDictionary { module?.stateDictionary() ?? [:] }

  /// Called on all ranks before the state of training is collected for a checkpoint.
  func willSave() throws {}

  /// Called on one rank before it writes what it has of the state, because others have failed or are held up.
  func willSaveAlone() throws {}

  /// Whether values that go into a checkpoint are on disk while training goes on.
  var keepsStateElsewhere: Bool { false }

  /// The state of an optimizer with placeholders for what is elsewhere; nil when the optimizer has all of it.
  func stateWithPlaceholders(of optimizer: Optimizer) -> ArchiveValue? { nil }

  /// A vector of state that is elsewhere.
  func storedState(_ name: String, of parameter: AnyParameter, in optimizer: Optimizer) -> (any StoredElements)? {
    nil
  }

  /// Takes over state of parameters that hold nothing, of which the optimizer has placeholders.
  func take(_ state: IncomingState, of optimizer: Optimizer) throws {}

  open func optimizerState() throws -> [ArchiveValue] { optimizers.map { $0.stateDictionary() } }

  /// The part of a saved state of an optimizer that belongs to what it updates in this process.
  open func localOptimizerState(_ state: ArchiveValue, of optimizer: Optimizer) throws -> ArchiveValue { state }

  /// What writes and reads checkpoints: ``checkpointIO``, or single files when there is none.
  public final var storage: any CheckpointIO { checkpointIO ?? FileCheckpointIO() }

  /// Called on all ranks when the values of the held tensors have been replaced by those of a checkpoint, after
  /// ``setUp(_:)``: a strategy that made others from them makes these anew.
  open func didRestoreWeights() throws {}

  /// Writes a checkpoint to some places. Called on all ranks; rank 0 writes, or all of them when the checkpoint is sharded.
  open func save(_ checkpoint: Checkpoint, to paths: [String], options: [String: String] = [:]) throws {
    if stateDictType == .sharded { return try saveSharded(checkpoint, to: paths, options: options) }
    if isGlobalZero { try storage.save(checkpoint, to: paths, options: options) }
  }

  /// Reads a checkpoint, on every rank. The tensors of a sharded one are read later, by each rank what it needs.
  open func loadCheckpoint(from path: String, weightsOnly: Bool = false) throws -> Checkpoint {
    try openInParts(path, weightsOnly: weightsOnly) ?? storage.load(from: path, weightsOnly: weightsOnly)
  }

  /// Removes a checkpoint. Called on all ranks; rank 0 removes.
  open func removeCheckpoint(at path: String) throws {
    guard isGlobalZero else { return }
    let folder = ShardedFolder(path)
    // What is about to be written in the background is removed there, too.
    if !(storage is AsyncCheckpointIO), folder.isOwn { try folder.remove() } else { try storage.remove(at: path) }
  }

  /// Throws the error of a checkpoint that was being written in the background.
  final func checkCheckpoints() throws {
    if hasBackgroundWrites { try checkpointIO?.check() }
  }

  /// Waits for checkpoints that are being written in the background, and for the space of those that were replaced.
  final func finishCheckpoints() throws {
    if hasBackgroundWrites { try checkpointIO?.tearDown() }
    RemovedFiles.shared.wait()
  }

  /// Rank 0 writes, or all ranks do.
  private var hasBackgroundWrites: Bool {
    isGlobalZero || stateDictType == .sharded && worldSize > 1 && checkpointIO is AsyncCheckpointIO
  }

  /// The ranks that write a sharded checkpoint together.
  var ranksForSaving: any RankExchange { self }

  /// The ranks as a thread in the background may talk to each other while this one does, too; nil where only this thread
  /// may. Called on all ranks.
  func ranksInBackground() throws -> (any RankExchange)? { worldSize == 1 ? SingleRank() : nil }

  /// Whether rank 0 has all that a checkpoint needs; with partitioned parameters or optimizers the others have parts of it.
  var isWholeOnRankZero: Bool { worldSize == 1 || parameterPlacements.isEmpty }

  /// Whether a run that is told to stop is saved by all ranks after the same step.
  var stopsTogether: Bool { !isWholeOnRankZero }

  /// Adds to an error what the strategy knows of its cause.
  func explained(_ error: any Error) -> any Error { error }

  /// Waits until the data is prepared, however long that takes.
  func waitForPreparation() throws {}

  /// Waits until all ranks have come to the end of a run.
  func finishRun() throws {}

  /// Makes the module whole again after an error that all ranks know of, before any weight has changed. Called on all ranks.
  func keepModule() throws {}

  /// Ends the communication of a run; also after an error. The optimizer stays until the next run, so that a checkpoint
  /// can still be saved.
  open func tearDown() {
    replicas?.tearDown()
    replicas = nil
    precision?.tearDown()
    accelerator?.tearDown()
  }
}

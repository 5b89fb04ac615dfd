public import Torch
public import TorchDistributed
internal import TorchNN
public import TorchOptim

/// Data parallelism with the algorithms of Bagua: compressed, decentralised and asynchronous averaging, over c10d.
///
/// ```swift
/// Trainer(strategy: "bagua", devices: 4)                                  // gradient_allreduce
/// Trainer(strategy: BaguaStrategy(algorithm: .byteGrad()), devices: 4)
/// Trainer(strategy: try BaguaStrategy(algorithm: "decentralized", ["peer_selection_mode": "shift_one"]), devices: 4)
/// ```
///
/// The algorithms are ``GradientAllReduce``, ``ByteGrad``, ``Decentralized``, ``LowPrecisionDecentralized``,
/// ``QAdamAlgorithm`` and ``AsyncModelAverage``; a ``BaguaAlgorithm`` of your own is given the same way. Collectives run
/// on a thread of their own, in groups of their own. Before the first step the ranks compare their parameters.
///
/// Where ranks do not stay equal (``BaguaAlgorithm/keepsRanksEqual``) each evaluates its own weights, and a checkpoint
/// holds the weights and the optimizer's state of rank 0, from which all ranks go on when training is resumed; with
/// ``AsyncModelAverage`` all ranks take over the mean of their weights before.
///
/// Processes that Bagua's launcher started are recognised by `BAGUA_SERVICE_PORT`; see ``BaguaEnvironment``.
open class BaguaStrategy: ParallelStrategy {
  public let algorithm: BaguaAlgorithm
  /// Whether vectors of buckets keep their memory from step to step, and gradients are views of them.
  public let flatten: Bool
  /// How much crosses the ranks together; nil for `BAGUA_DEFAULT_BUCKET_SIZE` bytes in the environment, else 10 MiB.
  public let bucketMegabytes: Double?
  /// The fit under way.
  public private(set) final var run: BaguaRun?

  /// - Parameters:
  ///   - algorithm: how the ranks keep their models together.
  ///   - flatten: keep the memory of buckets, and let gradients be views of them.
  ///   - bucketMegabytes: how much crosses the ranks together.
  ///   - timeout: seconds that joining the others, or one collective, may take.
  ///   - stallNotice: seconds that a rank waits for the others before it is reported where all ranks are.
  ///   - startMethod: how the processes are started; those that a cluster or torchrun started are used as they are.
  ///   - processGroupBackend: what moves tensors between the processes; see ``ParallelStrategy``.
  public init(
    algorithm: BaguaAlgorithm = GradientAllReduce(), flatten: Bool = true, bucketMegabytes: Double? = nil,
    timeout: Double = 1800, stallNotice: Double = 30, startMethod: StartMethod = .relaunch,
    processGroupBackend: ProcessGroupBackend? = nil,
    accelerator: Accelerator? = nil, precision: Precision? = nil, checkpointIO: (any CheckpointIO)? = nil,
    devices: [Device]? = nil, clusterEnvironment: (any ClusterEnvironment)? = nil
  ) {
    self.algorithm = algorithm
    self.flatten = flatten
    self.bucketMegabytes = bucketMegabytes
    super.init(
      accelerator: accelerator, precision: precision, checkpointIO: checkpointIO, devices: devices,
      clusterEnvironment: clusterEnvironment, timeout: timeout, stallNotice: stallNotice, startMethod: startMethod,
      processGroupBackend: processGroupBackend)
  }

  /// Makes a strategy with an algorithm by name; see ``BaguaAlgorithm/named(_:_:)``.
  ///
  /// - Throws: `ConfigurationError` for names and values that are not known.
  public init(
    algorithm: String, _ options: [String: StrategyOption] = [:], flatten: Bool = true,
    bucketMegabytes: Double? = nil, timeout: Double = 1800, startMethod: StartMethod = .relaunch,
    processGroupBackend: ProcessGroupBackend? = nil
  ) throws(ConfigurationError) {
    self.algorithm = try BaguaAlgorithm.named(algorithm, options)
    self.flatten = flatten
    self.bucketMegabytes = bucketMegabytes
    super.init(timeout: timeout, startMethod: startMethod, processGroupBackend: processGroupBackend)
  }

  open override var strategyDescription: StrategyDescription {
    var options: [String: StrategyOption] = [:]
    if !(algorithm is GradientAllReduce) { options["algorithm"] = .text(algorithm.name) }
    if algorithm.isHierarchical { options["hierarchical"] = .flag(true) }
    if startMethod != .relaunch { options["start"] = .text(startMethod.rawValue) }
    if let processGroupBackend { options["processGroupBackend"] = .text(processGroupBackend.rawValue) }
    return StrategyDescription(
      name: "bagua", summary: "One process per device; compressed, decentralized or asynchronous averaging.",
      accelerators: [.cpu, .cuda], processes: .onePerDevice, options: options, holdings: givenPlugins)
  }

  /// Checks the algorithm against the size of the run, before processes are started.
  open override func configureLauncher() throws -> Launcher {
    if let plan {
      var problems = algorithm.problems(worldSize: plan.worldSize, numNodes: plan.numNodes, flatten: flatten)
      do { _ = try bucketByteCount() } catch { problems += error.problems }
      if let error = ConfigurationError(problems) { throw error }
    }
    return try super.configureLauncher()
  }

  private func bucketByteCount() throws(ConfigurationError) -> Int {
    if let bucketMegabytes {
      guard bucketMegabytes > 0, bucketMegabytes < 1e9 else {
        throw ConfigurationError(
          "bucketMegabytes", "bucketMegabytes is \(bucketMegabytes)", suggestion: "give a number above 0")
      }
      return max(1, Int(bucketMegabytes * 1_048_576))
    }
    var reader = VariableReader(ClusterEnvironments.processVariables)
    let bytes = reader.integer("BAGUA_DEFAULT_BUCKET_SIZE", in: VariableReader.positive)
    try reader.check()
    return bytes ?? 10 << 20
  }

  /// Compares the parameters of the ranks before rank 0 gives them its values.
  open override func synchronizeModule() throws {
    if let group, let module { try ParameterFingerprint(module, algorithm.name).compare(in: group) }
    try super.synchronizeModule()
  }

  open override func configureModule() throws {
    guard let group, let module, let world = launcher.world else { return }
    let nodeRanks = try group.allGather(object: world.identity.nodeRank)
    let channels = try BaguaChannels(
      world, nodeRanks: nodeRanks, isHierarchical: algorithm.isHierarchical, timeout: timeout)
    // Environment variables may differ from machine to machine.
    let bytes = try group.broadcast(object: bucketByteCount())
    let run = try BaguaRun(self, module, group, channels, bucketByteCount: bytes)
    self.run = run
    guard !run.parameters.isEmpty else {
      throw ConfigurationError(
        "strategy", "bagua has nothing to do: no parameter of \(type(of: module)) requires a gradient",
        suggestion: "unfreeze a parameter, or validate instead of fitting")
    }
    try algorithm.begin(run)
  }

  open override func onTrainStart() throws { run?.step = (module?.trainer?.progress.globalStep ?? 0) - 1 }

  open override func trainingStep(_ step: ModuleStep<StepOutput>, synchronizing: Bool) throws -> StepOutput {
    guard let run else { return try super.trainingStep(step, synchronizing: synchronizing) }
    if synchronizing { run.step += 1 }
    try algorithm.willRunForward(run, synchronizing: synchronizing)
    let output = try super.trainingStep(step, synchronizing: synchronizing)
    if !run.module.automaticOptimization { try algorithm.didRunManualStep(run) }
    return output
  }

  open override func backward(_ loss: Tensor, synchronizing: Bool) throws {
    guard let run else { return try super.backward(loss, synchronizing: synchronizing) }
    try algorithm.willRunBackward(run, synchronizing: synchronizing)
    try super.backward(loss, synchronizing: synchronizing)
    if !loss.isPoisoned { try algorithm.didRunBackward(run, synchronizing: synchronizing) }
  }

  open override func optimizerStep(_ optimizer: Optimizer) throws {
    guard let run else { return try super.optimizerStep(optimizer) }
    try algorithm.willStep(optimizer, run)
    try super.optimizerStep(optimizer)
    try algorithm.didStep(optimizer, run)
  }

  open override func onValidationStart() throws {
    if let run { try algorithm.abort(run) }
  }

  open override func onValidationEnd() throws {
    if let run { try algorithm.resume(run) }
  }

  open override func onTrainEnd() throws {
    if let run { try algorithm.abort(run) }
  }

  /// Stops what goes on in the background, which gives all ranks the mean of their weights, until the next step.
  override func willSave() throws {
    try super.willSave()
    guard let run else { return }
    try algorithm.abort(run)
    try algorithm.resume(run)
  }

  /// Evaluation with the statistics of rank 0 everywhere, unless each rank has a model of its own.
  open override func prepareForEvaluation() throws {
    if run == nil || algorithm.keepsRanksEqual { try super.prepareForEvaluation() }
  }

  open override var hasEqualReplicas: Bool { algorithm.keepsRanksEqual }

  /// The state of rank 0's module; a copy where something in the background might change it.
  open override func moduleState() throws -> StateDictionary {
    guard run != nil, !algorithm.keepsRanksEqual else { return try super.moduleState() }
    return try algorithm.whileWeightsRest {
      var state = try super.moduleState()
      for (key, tensor) in state { state[key] = tensor.clone() }
      return state
    }
  }

  /// Reduces by the name of an operation in Bagua: `sum`, `avg` or `mean`, `min`, `max`, `product`, `band`, `bor`, `bxor`;
  /// the mean without one. Those of bits are for whole numbers.
  ///
  /// - Throws: `ConfigurationError` for another name.
  public final func reduce(_ tensor: Tensor, named name: String?) throws -> Tensor {
    try reduce(tensor, by: try ReduceOperation.named(name ?? "mean"))
  }

  open override func tearDown() {
    algorithm.end()
    run?.close()
    run = nil
    super.tearDown()
  }
}

extension StrategyConvertible where Self == BaguaStrategy {
  /// The algorithms of Bagua; see ``BaguaStrategy``.
  public static func bagua(
    algorithm: BaguaAlgorithm = GradientAllReduce(), flatten: Bool = true, bucketMegabytes: Double? = nil,
    timeout: Double = 1800, startMethod: StartMethod = .relaunch,
    processGroupBackend: ProcessGroupBackend? = nil
  ) -> BaguaStrategy {
    BaguaStrategy(
      algorithm: algorithm, flatten: flatten, bucketMegabytes: bucketMegabytes, timeout: timeout,
      startMethod: startMethod,
      processGroupBackend: processGroupBackend)
  }
}

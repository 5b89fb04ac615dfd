public import Torch
public import TorchDistributed

/// Fully sharded data parallel: parameters, gradients and optimizer state are partitioned over the processes, and the
/// parameters of a unit are gathered for its forward and its backward only.
///
/// The counterpart of Lightning's `fsdp` (and of `ddp_fully_sharded` and `fsdp_native` before) and of PyTorch's
/// `FullyShardedDataParallel`; stage 3 of ZeRO. Unlike those it runs on CPUs, too, clips gradients by their true norm, and
/// keeps the numbers of a single device: in mixed precision parameters are gathered in float32 and autocast converts them,
/// unless `parameterType` asks for less communication.
///
/// ```swift
/// Trainer(strategy: .fsdp(wrapPolicy: .modules(of: Block.self), sharding: .gradientsAndOptimizer))
/// ```
open class FSDPStrategy: ShardedStrategy {
  /// What is partitioned, and when parameters are freed: PyTorch's `ShardingStrategy`.
  public enum Sharding: String, Sendable, Hashable, CaseIterable {
    /// Parameters are freed after forward and after backward (`FULL_SHARD`).
    case full = "full_shard"
    /// Parameters stay gathered from forward to the end of backward (`SHARD_GRAD_OP`).
    case gradientsAndOptimizer = "shard_grad_op"
    /// Nothing is partitioned, as in `ddp` (`NO_SHARD`).
    case none = "no_shard"
    /// As `full` inside each node, with a copy of the model per node (`HYBRID_SHARD`).
    case hybrid = "hybrid_shard"
    /// As `gradientsAndOptimizer` inside each node, with a copy of the model per node (`_HYBRID_SHARD_ZERO2`).
    case hybridGradientsAndOptimizer = "hybrid_shard_zero2"
  }

  /// What is partitioned.
  public let sharding: Sharding
  /// The number of copies of the model; nil for what ``sharding`` and ``shardCount`` say.
  public let replicaCount: Int?
  /// The number of ranks that share a copy; nil for what ``sharding`` and ``replicaCount`` say.
  public let shardCount: Int?
  /// Whether the shards are kept in the memory of the host. On a CPU they are there anyway.
  public let offloadsToCPU: Bool
  private let given: ShardingOptions
  private let policy: ActivationCheckpointPolicy?

  /// - Parameters:
  ///   - wrapPolicy: which modules are gathered on their own.
  ///   - sharding: what is partitioned, and when parameters are freed.
  ///   - replicas: the number of copies of the model.
  ///   - shards: how many ranks share a copy; the product of both is the number of ranks, and one of them is enough.
  ///   - parameterType: the type that parameters are gathered in and modules compute with; nil for their own.
  ///   - reduceType: the type in which gradients cross the ranks; nil for float32, or float64 parameters' own.
  ///   - offloadToCPU: keep shards, their gradients and the optimizer's state in the memory of the host.
  ///   - forwardPrefetch: gather the next unit while one computes its forward.
  ///   - backwardPrefetch: gather the next unit while one computes its backward.
  ///   - maximumPrefetches: how many units may be gathered ahead.
  ///   - findUnusedParameters: allow parameters that the loss does not depend on; otherwise the missing ones are an error.
  ///   - activationCheckpointing: which layers compute their activations again in backward.
  ///   - timeout: seconds that joining the others, or one collective, may take.
  ///   - stallNotice: seconds that a rank waits for the others before it is reported where all ranks are.
  ///   - startMethod: how the processes are started; those that a cluster or torchrun started are used as they are.
  ///   - processGroupBackend: what moves tensors between the processes; see ``ParallelStrategy``.
  public init(
    wrapPolicy: WrapPolicy = .automatic(), sharding: Sharding = .full, replicas: Int? = nil, shards: Int? = nil,
    parameterType: DType? = nil, reduceType: DType? = nil, offloadToCPU: Bool = false, forwardPrefetch: Bool = true,
    backwardPrefetch: Bool = true, maximumPrefetches: Int = 1, findUnusedParameters: Bool = true,
    activationCheckpointing: ActivationCheckpointPolicy? = nil,
    timeout: Double = 1800, stallNotice: Double = 30, startMethod: StartMethod = .relaunch,
    processGroupBackend: ProcessGroupBackend? = nil,
    accelerator: Accelerator? = nil, precision: Precision? = nil, checkpointIO: (any CheckpointIO)? = nil,
    devices: [Device]? = nil, clusterEnvironment: (any ClusterEnvironment)? = nil
  ) {
    self.sharding = sharding
    replicaCount = replicas
    shardCount = shards
    offloadsToCPU = offloadToCPU
    var options = ShardingOptions(.parameters)
    options.wrapPolicy = wrapPolicy
    options.parameterType = parameterType
    options.reduceType = reduceType
    options.prefetchesForward = forwardPrefetch
    options.prefetchesBackward = backwardPrefetch
    options.maximumPrefetches = maximumPrefetches
    options.offloadsToHost = offloadToCPU
    options.findUnusedParameters = findUnusedParameters
    options.reshardAfterForward = sharding == .full || sharding == .hybrid
    given = options
    policy = activationCheckpointing
    super.init(
      accelerator: accelerator, precision: precision, checkpointIO: checkpointIO, devices: devices,
      clusterEnvironment: clusterEnvironment, timeout: timeout, stallNotice: stallNotice, startMethod: startMethod,
      processGroupBackend: processGroupBackend)
  }

  open override var strategyDescription: StrategyDescription {
    var options: [String: StrategyOption] = [:]
    if offloadsToCPU { options["offloadToCPU"] = .flag(true) }
    if sharding != .full { options["sharding"] = .text(sharding.rawValue) }
    if let replicaCount { options["replicas"] = .number(replicaCount) }
    if let shardCount { options["shards"] = .number(shardCount) }
    if startMethod != .relaunch { options["start"] = .text(startMethod.rawValue) }
    if let processGroupBackend { options["processGroupBackend"] = .text(processGroupBackend.rawValue) }
    return StrategyDescription(
      name: "fsdp", summary: "Parameters, gradients and optimizer state partitioned over the ranks.",
      accelerators: [.cpu, .cuda], processes: .onePerDevice, options: options, holdings: givenPlugins)
  }

  open override var activationCheckpointing: ActivationCheckpointPolicy? { policy }

  open override func makeShardingOptions() throws -> ShardingOptions {
    var options = given
    if replicaCount != nil || shardCount != nil {
      (options.replicas, options.shards) = (replicaCount, shardCount)
    } else {
      switch sharding {
      case .full, .gradientsAndOptimizer: break
      case .none: options.shards = 1
      case .hybrid, .hybridGradientsAndOptimizer: options.shards = plan?.processesPerNode
      }
    }
    return options
  }
}

extension StrategyConvertible where Self == FSDPStrategy {
  /// Fully sharded data parallel; see ``FSDPStrategy``.
  public static func fsdp(
    wrapPolicy: WrapPolicy = .automatic(), sharding: FSDPStrategy.Sharding = .full,
    replicas: Int? = nil, shards: Int? = nil, parameterType: DType? = nil, reduceType: DType? = nil,
    offloadToCPU: Bool = false, forwardPrefetch: Bool = true, backwardPrefetch: Bool = true, maximumPrefetches: Int = 1,
    findUnusedParameters: Bool = true, activationCheckpointing: ActivationCheckpointPolicy? = nil,
    timeout: Double = 1800, stallNotice: Double = 30, startMethod: StartMethod = .relaunch,
    processGroupBackend: ProcessGroupBackend? = nil
  ) -> FSDPStrategy {
    FSDPStrategy(
      wrapPolicy: wrapPolicy, sharding: sharding, replicas: replicas, shards: shards, parameterType: parameterType,
      reduceType: reduceType,
      offloadToCPU: offloadToCPU, forwardPrefetch: forwardPrefetch, backwardPrefetch: backwardPrefetch,
      maximumPrefetches: maximumPrefetches, findUnusedParameters: findUnusedParameters,
      activationCheckpointing: activationCheckpointing, timeout: timeout, stallNotice: stallNotice,
      startMethod: startMethod,
      processGroupBackend: processGroupBackend)
  }
}

public import Torch
public import TorchDistributed

/// Distributed data parallel with the state of the optimizers and the gradients partitioned over the processes: each one
/// updates its part of the parameters, which then go to all.
///
/// The counterpart of Lightning's `ddp_sharded` on FairScale's `OSS` and `ShardedDataParallel`; stage 2 of ZeRO. With W ranks
/// and AdamW in float32, a parameter takes 4 + 4/W + 8/W bytes on a rank instead of 16.
open class DDPShardedStrategy: ShardedStrategy {
  /// Whether some parameters may get no gradient in a step.
  public let findUnusedParameters: Bool
  /// How the elements are dealt to the ranks.
  public let layout: ShardLayout
  /// The bytes that are reduced together.
  public let bucketByteCount: Int
  /// The type in which gradients cross the ranks; nil for that of the parameters, at least float32.
  public let reduceType: DType?
  private let isBroadcastingBuffers: Bool

  /// - Parameters:
  ///   - findUnusedParameters: allow parameters that the loss does not depend on; otherwise the missing ones are an error.
  ///   - layout: `.wholeParameters` for an optimizer that looks at more than single elements.
  ///   - bucketMegabytes: how much is reduced together.
  ///   - reduceType: `.bfloat16` or `.float16` halves the communication of gradients, at the cost of their precision.
  ///   - broadcastBuffers: give the buffers of rank 0 to all ranks before each forward.
  ///   - timeout: seconds that joining the others, or one collective, may take.
  ///   - stallNotice: seconds that a rank waits for the others before it is reported where all ranks are.
  ///   - startMethod: how the processes are started; those that a cluster or torchrun started are used as they are.
  ///   - processGroupBackend: what moves tensors between the processes; see ``ParallelStrategy``.
  public init(
    findUnusedParameters: Bool = true, layout: ShardLayout = .flat, bucketMegabytes: Double = 25,
    reduceType: DType? = nil, broadcastBuffers: Bool = true, timeout: Double = 1800, stallNotice: Double = 30,
    startMethod: StartMethod = .relaunch,
    processGroupBackend: ProcessGroupBackend? = nil, accelerator: Accelerator? = nil, precision: Precision? = nil,
    checkpointIO: (any CheckpointIO)? = nil, devices: [Device]? = nil,
    clusterEnvironment: (any ClusterEnvironment)? = nil
  ) {
    self.findUnusedParameters = findUnusedParameters
    self.layout = layout
    bucketByteCount = max(1, Int(bucketMegabytes * 1_048_576))
    self.reduceType = reduceType
    isBroadcastingBuffers = broadcastBuffers
    super.init(
      accelerator: accelerator, precision: precision, checkpointIO: checkpointIO, devices: devices,
      clusterEnvironment: clusterEnvironment, timeout: timeout, stallNotice: stallNotice, startMethod: startMethod,
      processGroupBackend: processGroupBackend)
  }

  open override var strategyDescription: StrategyDescription {
    var options: [String: StrategyOption] = [:]
    if !findUnusedParameters { options["findUnusedParameters"] = .flag(false) }
    if layout != .flat { options["layout"] = .text(layout.rawValue) }
    if startMethod != .relaunch { options["start"] = .text(startMethod.rawValue) }
    if let processGroupBackend { options["processGroupBackend"] = .text(processGroupBackend.rawValue) }
    return StrategyDescription(
      name: "ddp_sharded", summary: "ddp with optimizer state and gradients partitioned over the ranks.",
      accelerators: [.cpu, .cuda], processes: .onePerDevice, options: options, holdings: givenPlugins)
  }

  open override var broadcastsBuffers: Bool { isBroadcastingBuffers }

  open override func makeShardingOptions() throws -> ShardingOptions {
    var options = ShardingOptions(.gradients)
    options.findUnusedParameters = findUnusedParameters
    options.layout = layout
    options.bucketByteCount = bucketByteCount
    options.reduceType = reduceType
    return options
  }
}

extension StrategyConvertible where Self == DDPShardedStrategy {
  /// Distributed data parallel with partitioned optimizer state and gradients; see ``DDPShardedStrategy``.
  public static func ddpSharded(
    findUnusedParameters: Bool = true, layout: ShardLayout = .flat, bucketMegabytes: Double = 25,
    reduceType: DType? = nil, broadcastBuffers: Bool = true, timeout: Double = 1800, stallNotice: Double = 30,
    startMethod: StartMethod = .relaunch,
    processGroupBackend: ProcessGroupBackend? = nil
  ) -> DDPShardedStrategy {
    DDPShardedStrategy(
      findUnusedParameters: findUnusedParameters, layout: layout, bucketMegabytes: bucketMegabytes,
      reduceType: reduceType, broadcastBuffers: broadcastBuffers, timeout: timeout, stallNotice: stallNotice,
      startMethod: startMethod,
      processGroupBackend: processGroupBackend)
  }
}

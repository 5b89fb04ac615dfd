public import Torch
public import TorchDistributed
internal import TorchNN

/// ``DataParallelStrategy`` inside each node, gradients averaged over the nodes: one process for each node, a replica of
/// the model for each of its devices.
///
/// The world size is the number of nodes, and a loader's batch is that of a node. On one node it is `dp`.
open class DDP2Strategy: ParallelStrategy {
  /// Whether running statistics and other buffers of rank 0 are given to all ranks before each forward.
  public let broadcastBuffers: Bool
  private let bucketByteCount: Int
  private var reducer: FlatReducer?
  private var buffers: [Tensor] = []

  /// - Parameters:
  ///   - bucketMegabytes: how much is reduced together.
  ///   - broadcastBuffers: give the buffers of rank 0 to all ranks before each forward.
  ///   - timeout: seconds that joining the others, or one collective, may take.
  ///   - processGroupBackend: what moves tensors between the processes; see ``ParallelStrategy``.
  public init(
    bucketMegabytes: Double = 25, broadcastBuffers: Bool = true, timeout: Double = 1800, stallNotice: Double = 30,
    processGroupBackend: ProcessGroupBackend? = nil,
    accelerator: Accelerator? = nil, precision: Precision? = nil, checkpointIO: (any CheckpointIO)? = nil,
    devices: [Device]? = nil, clusterEnvironment: (any ClusterEnvironment)? = nil
  ) {
    self.broadcastBuffers = broadcastBuffers
    bucketByteCount = max(1, Int(bucketMegabytes * 1_048_576))
    super.init(
      accelerator: accelerator, precision: precision, checkpointIO: checkpointIO, devices: devices,
      clusterEnvironment: clusterEnvironment, timeout: timeout, stallNotice: stallNotice,
      processGroupBackend: processGroupBackend)
  }

  open override var strategyDescription: StrategyDescription {
    var options: [String: StrategyOption] = [:]
    if let processGroupBackend { options["processGroupBackend"] = .text(processGroupBackend.rawValue) }
    return StrategyDescription(
      name: "ddp2", summary: "One process per node; a replica for each device, gradients averaged over the nodes.",
      accelerators: [.cpu, .cuda], processes: .onePerNode, options: options, holdings: givenPlugins)
  }

  open override func setUp(_ stage: Stage) throws {
    try super.setUp(stage)
    guard let module else { return }
    replicas = try ReplicaGroup.make(module, stage, on: plan?.devices ?? [], strategy: "ddp2")
    if stage == .fit, worldSize > 1, let group {
      reducer = FlatReducer(module, group: group, bucketByteCount: bucketByteCount)
      buffers = broadcastBuffers ? module.namedBuffers().map { $0.buffer.tensor } : []
    }
  }

  open override func trainingStep(_ step: ModuleStep<StepOutput>, synchronizing: Bool) throws -> StepOutput {
    if synchronizing, !buffers.isEmpty { try group?.broadcast(buffers) }
    return try super.trainingStep(step, synchronizing: synchronizing)
  }

  open override func backward(_ loss: Tensor, synchronizing: Bool) throws {
    try super.backward(loss, synchronizing: synchronizing)
    if synchronizing, !loss.isPoisoned { try reducer?.reduce() }
  }

  open override func tearDown() {
    reducer = nil
    buffers = []
    super.tearDown()
  }
}

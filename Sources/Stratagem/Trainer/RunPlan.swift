public import Torch
public import TorchDistributed

/// What will run where: the arguments of a run after every choice is made and every conflict excluded.
///
/// A plan is made by a pure function of the request, the environment and the hardware, so it can be made for any
/// machine. It prints itself as one line:
///
/// ```
/// ddp on 2 processes (cpu, 1 thread each), precision 32-true, global batch = 2 × loader batch
/// ```
public struct RunPlan: Hashable, Sendable {
  /// The canonical name of the strategy, such as `ddp`.
  public let strategyName: String

  /// The name under which the strategy is registered, such as `ddp_find_unused_parameters_true`, or `nil` when the user
  /// gave a strategy object.
  public let strategyAlias: String?

  /// The options that the alias presets or the strategy object was made with.
  public let strategyOptions: [String: StrategyOption]

  /// What the strategy is and needs.
  public let strategy: StrategyDescription

  /// The hardware.
  public let accelerator: AcceleratorKind

  /// The devices of this node, in the order of local ranks. On the processors, one entry for each process or replica.
  public let devices: [Device]

  /// The number of processes on each node.
  public let processesPerNode: Int

  /// The number of machines.
  public let numNodes: Int

  /// Where this process stands, and where it meets the others.
  public let cluster: ClusterPlace

  /// Whether the processes of the run have to be started by this one.
  public let startsProcesses: Bool

  /// Threads that an operator may use in each process.
  public let threadsPerProcess: Int

  /// What moves tensors between the processes; nil for a run of one process.
  public let processGroupBackend: ProcessGroupBackend?

  /// The number format.
  public let precision: PrecisionKind

  /// Batches whose gradients are summed before an optimizer step.
  public let accumulate: Int

  /// What the user should know and probably change.
  public let warnings: [String]

  /// What the user might have meant otherwise.
  public let notes: [String]

  /// The number of processes in all.
  public var worldSize: Int { cluster.worldSize }

  /// The number of the machine, from 0.
  public var nodeRank: Int { cluster.nodeRank }

  /// The number of this process on its machine, or `nil` as long as the processes have to be started.
  public var localRank: Int? { hasRanks ? cluster.localRank : nil }

  /// The number of this process among all, or `nil` as long as the processes have to be started.
  public var rank: Int? { hasRanks ? cluster.globalRank : nil }

  private var hasRanks: Bool { !strategy.isDistributed || cluster.createsProcessesExternally }

  /// How many loader batches go into an optimizer step, over all processes.
  public var batchesPerStep: Int {
    let (product, overflow) = worldSize.multipliedReportingOverflow(by: accumulate)
    return overflow ? .max : product
  }

  /// The device of this process; the first one as long as the processes have to be started.
  public var rootDevice: Device { devices[min(localRank ?? 0, devices.count - 1)] }

}

extension RunPlan: CustomStringConvertible {
  public var description: String {
    let options = strategyOptions.isEmpty ? "" : " (\(strategyOptions.list))"
    var processes = "\(worldSize) \(worldSize == 1 ? "process" : "processes")"
    if strategy.drivesSeveralDevices {
      let replicas = "\(devices.count) \(devices.count == 1 ? "replica" : "replicas")"
      processes = worldSize == 1 ? replicas : "\(processes) × \(replicas)"
    }
    let nodes = numNodes == 1 ? "" : " on \(numNodes) nodes"
    return "\(displayName)\(options) on \(processes)\(nodes) (\(place)), precision \(precision), \(batch)"
  }

  /// The alias where it is the user's own; the options tell built-in aliases apart.
  private var displayName: String {
    guard let strategyAlias, StrategyAlias.named(strategyAlias) == nil else { return strategyName }
    return strategyAlias
  }

  private var place: String {
    let each = worldSize == 1 && (devices.count == 1 || !strategy.drivesSeveralDevices) ? "" : " each"
    guard accelerator == .cpu else {
      let indices = devices.map { "\($0.index ?? 0)" }.joined(separator: ",")
      return "\(accelerator):\(indices)" + (numNodes == 1 ? "" : " on each node")
    }
    return "cpu, \(threadsPerProcess) \(threadsPerProcess == 1 ? "thread" : "threads")\(each)"
  }

  private var batch: String {
    var factors = worldSize == 1 ? [] : ["\(worldSize)"]
    if accumulate > 1 { factors.append("\(accumulate) accumulated") }
    return "global batch = " + (factors + ["loader batch"]).joined(separator: " × ")
  }
}

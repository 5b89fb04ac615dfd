/// The place of a process in a run, and where its processes meet, as its cluster environment told it.
public struct ClusterPlace: Hashable, Sendable {
  /// The name of the environment, such as `torchrun`.
  public let environment: String

  /// Whether the processes of the run are started by someone else.
  public let createsProcessesExternally: Bool

  /// The address of the machine on which rank 0 runs.
  public let mainAddress: String

  /// The port of the store that rank 0 opens, or `nil` when rank 0 is free to take any.
  public let mainPort: Int?

  /// The number of processes in the run, over all nodes.
  public let worldSize: Int

  /// The number of this process among all; that of the first process of the node before the processes are started.
  public let globalRank: Int

  /// The number of this process on its node.
  public let localRank: Int

  /// The number of this node among all nodes.
  public let nodeRank: Int

  /// The place of a process that is a run by itself.
  static let alone = ClusterPlace(
    environment: "lightning", createsProcessesExternally: false, mainAddress: "127.0.0.1", mainPort: nil,
    worldSize: 1, globalRank: 0, localRank: 0, nodeRank: 0)

  /// Reads an environment; unless its processes exist already, the size of the run is that of the plan.
  init(_ environment: any ClusterEnvironment, processesPerNode: Int, numNodes: Int) {
    let exists = environment.createsProcessesExternally
    self.init(
      environment: environment.name, createsProcessesExternally: exists, mainAddress: environment.mainAddress,
      mainPort: environment.mainPort, worldSize: processesPerNode * numNodes,
      globalRank: exists ? environment.globalRank : environment.nodeRank * processesPerNode,
      localRank: exists ? environment.localRank : 0, nodeRank: environment.nodeRank)
  }

  private init(
    environment: String, createsProcessesExternally: Bool, mainAddress: String, mainPort: Int?, worldSize: Int,
    globalRank: Int, localRank: Int, nodeRank: Int
  ) {
    self.environment = environment
    self.createsProcessesExternally = createsProcessesExternally
    self.mainAddress = mainAddress
    self.mainPort = mainPort
    self.worldSize = worldSize
    self.globalRank = globalRank
    self.localRank = localRank
    self.nodeRank = nodeRank
  }
}

/// Processes started by Stratagem's own launcher, or by hand with torchrun's variables.
///
/// Without `LOCAL_RANK` this is the main process of its node, which starts the others. Several nodes need the same
/// command on each, with `MASTER_ADDR`, `MASTER_PORT` and a `NODE_RANK` of its own.
public struct LightningEnvironment: ClusterEnvironment {
  public let name = "lightning"
  public let mainAddress: String
  public let mainPort: Int?
  public let worldSize: Int
  public let globalRank: Int
  public let localRank: Int
  public let nodeRank: Int
  public let createsProcessesExternally: Bool

  private let hasMainAddress: Bool

  /// Reads the place of this process from environment variables.
  ///
  /// - Parameters:
  ///   - environment: the variables: `LOCAL_RANK`, `NODE_RANK` or `GROUP_RANK`, `MASTER_ADDR`, `MASTER_PORT`, and
  ///     `RANK` and `WORLD_SIZE` when the process was started by a launcher.
  ///   - numDevices: the processes per node to be started when no launcher did.
  ///   - numNodes: the nodes of the run when no launcher says.
  /// - Throws: `ClusterEnvironmentError` for a value that is not a number or out of range.
  public init(
    _ environment: [String: String], numDevices: Int = 1, numNodes: Int = 1
  ) throws(ClusterEnvironmentError) {
    let local = try ProcessVariables.integer(WorkerVariable.localRank, in: environment)
    let node = try ProcessVariables.integer(WorkerVariable.nodeRank, in: environment)
    let group = try ProcessVariables.integer(WorkerVariable.groupRank, in: environment)
    localRank = local ?? 0
    nodeRank = node ?? group ?? 0

    // WORLD_SIZE alone may be left over in a shell; together with LOCAL_RANK somebody did start us.
    let world = try ProcessVariables.integer(WorkerVariable.worldSize, in: environment, range: 1...Int(Int32.max))
    createsProcessesExternally = local != nil && world != nil
    if createsProcessesExternally, let world {
      let rank = try ProcessVariables.integer(WorkerVariable.globalRank, in: environment)
      worldSize = world
      globalRank = rank ?? nodeRank * numDevices + localRank
    } else {
      worldSize = numNodes * numDevices
      globalRank = nodeRank * numDevices + localRank
    }

    let address = environment[WorkerVariable.mainAddress].flatMap { $0.isEmpty ? nil : $0 }
    hasMainAddress = address != nil
    mainAddress = address ?? "127.0.0.1"
    mainPort = try ProcessVariables.integer(WorkerVariable.mainPort, in: environment, range: 0...65535)
  }

  public func validate(numDevices: Int, numNodes: Int) throws(ClusterEnvironmentError) {
    if createsProcessesExternally {
      guard worldSize == numDevices * numNodes else {
        throw ClusterEnvironmentError(
          "this process was started as one of WORLD_SIZE=\(worldSize), but the trainer asks for "
            + "\(numNodes) node(s) with \(numDevices) device(s) each, \(numNodes * numDevices) processes: "
            + "make devices * numNodes equal \(worldSize), or start \(numNodes * numDevices) processes")
      }
      guard globalRank < worldSize else {
        throw ClusterEnvironmentError(
          "RANK is \(globalRank), but WORLD_SIZE is \(worldSize): ranks are 0 to \(worldSize - 1)")
      }
      guard worldSize == 1 || mainPort != nil else {
        throw ClusterEnvironmentError(
          "LOCAL_RANK and WORLD_SIZE are set, but MASTER_PORT is not: set it to the port of rank 0's store, "
            + "or unset LOCAL_RANK to let Stratagem start the processes")
      }
    } else if localRank > 0 {
      throw LaunchError.foreignLocalRank(localRank).asEnvironmentError
    }
    guard localRank < numDevices else {
      throw ClusterEnvironmentError(
        "LOCAL_RANK is \(localRank), but there are \(numDevices) device(s) per node: local ranks are "
          + "0 to \(numDevices - 1)")
    }
    guard nodeRank < numNodes else {
      throw ClusterEnvironmentError(
        "NODE_RANK is \(nodeRank), but numNodes is \(numNodes): "
          + (numNodes == 1
            ? "pass numNodes: \(nodeRank + 1) or more, or unset NODE_RANK"
            : "set NODE_RANK to a number from 0 to \(numNodes - 1)"))
    }
    if numNodes > 1 {
      guard hasMainAddress, let mainPort, mainPort > 0 else {
        throw ClusterEnvironmentError(
          "a run on \(numNodes) nodes needs MASTER_ADDR and MASTER_PORT, the same on every node: for example "
            + "MASTER_ADDR=<address of node 0> MASTER_PORT=29500 NODE_RANK=\(nodeRank)")
      }
    }
  }
}

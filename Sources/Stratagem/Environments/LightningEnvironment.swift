/// Processes started by Stratagem's own launcher, or by hand with torchrun's variables.
///
/// Without `WORLD_SIZE` beside `LOCAL_RANK` or `RANK` this is the main process of its node, which starts the others.
/// Several nodes need the same command on each, with `MASTER_ADDR`, `MASTER_PORT` and a `NODE_RANK` of its own.
public struct LightningEnvironment: ClusterEnvironment {
  public let name = "lightning"
  public let mainAddress: String
  public let mainPort: Int?
  public let worldSize: Int
  public let globalRank: Int
  public let localRank: Int
  public let nodeRank: Int
  public let localWorldSize: Int?
  public let createsProcessesExternally: Bool

  private let hasMainAddress: Bool
  /// The variable that gave the rank of the node.
  private let nodeVariable: String?

  /// Reads the place of this process from environment variables.
  ///
  /// - Parameters:
  ///   - environment: the variables: `NODE_RANK` or `GROUP_RANK`, `MASTER_ADDR`, `MASTER_PORT`, and `WORLD_SIZE`,
  ///     `LOCAL_RANK`, `RANK` when the process was started by a launcher.
  ///   - numDevices: the processes per node.
  ///   - numNodes: the nodes of the run.
  /// - Throws: `ConfigurationError` for values that are not a number or out of range.
  public init(
    _ environment: [String: String], numDevices: Int = 1, numNodes: Int = 1
  ) throws(ConfigurationError) {
    var reader = VariableReader(environment)
    let rank = reader.integer(WorkerVariable.globalRank)
    let local = reader.integer(WorkerVariable.localRank)
    let node = reader.integer(WorkerVariable.nodeRank)
    let group = reader.integer(WorkerVariable.groupRank)
    let world = reader.integer(WorkerVariable.worldSize, in: VariableReader.positive)
    let localWorld = reader.integer(WorkerVariable.localWorldSize, in: VariableReader.positive)
    mainPort = reader.integer(WorkerVariable.mainPort, in: 0...65535)
    try reader.check()

    nodeVariable = node != nil ? WorkerVariable.nodeRank : group != nil ? WorkerVariable.groupRank : nil
    let address = reader.text(WorkerVariable.mainAddress)
    hasMainAddress = address != nil
    mainAddress = address ?? "127.0.0.1"

    // WORLD_SIZE alone may be left over in a shell; together with a rank somebody did start us.
    createsProcessesExternally = world != nil && (local != nil || rank != nil)
    let processes = max(1, numDevices)
    if createsProcessesExternally, let world {
      worldSize = world
      nodeRank = node ?? group ?? rank.map { $0 / processes } ?? 0
      localRank = local ?? rank.map { $0 % processes } ?? 0
      globalRank = rank ?? nodeRank * processes + localRank
      let even = numNodes > 0 && world.isMultiple(of: numNodes)
      localWorldSize = localWorld ?? (even ? world / numNodes : nil)
    } else {
      nodeRank = node ?? group ?? 0
      localRank = local ?? 0
      worldSize = processes.multipliedReportingOverflow(by: numNodes).partialValue
      globalRank = nodeRank * processes + localRank
      localWorldSize = nil
    }
  }

  public func validate(numDevices: Int, numNodes: Int) throws(ConfigurationError) {
    let problems =
      createsProcessesExternally
      ? problemsOfWorker(numDevices, numNodes) : problemsOfMain(numDevices, numNodes)
    if let error = ConfigurationError(problems) { throw error }
  }

  private func problemsOfWorker(_ numDevices: Int, _ numNodes: Int) -> [ConfigurationError.Problem] {
    let expected = numDevices * numNodes
    guard worldSize == expected else {
      return [
        .init(
          "WORLD_SIZE",
          "this process was started as one of WORLD_SIZE=\(worldSize), but \(asked(numDevices, numNodes))",
          suggestion: "start \(expected) \(expected == 1 ? "process" : "processes"), or make devices × numNodes "
            + "\(worldSize)")
      ]
    }
    var problems: [ConfigurationError.Problem] = []
    if localRank >= numDevices {
      problems.append(
        .init(
          "LOCAL_RANK",
          "LOCAL_RANK is \(localRank), but each node runs \(numDevices) \(numDevices == 1 ? "process" : "processes")",
          suggestion: "number the processes of a node from 0 to \(numDevices - 1)"))
    } else if nodeVariable != nil && nodeRank >= numNodes {
      problems.append(nodeProblem(numNodes))
    } else if globalRank >= worldSize {
      problems.append(
        .init(
          "RANK", "RANK is \(globalRank), but WORLD_SIZE is \(worldSize)",
          suggestion: "number the processes from 0 to \(worldSize - 1)"))
    } else if globalRank != nodeRank * numDevices + localRank {
      problems.append(
        .init(
          "RANK",
          "RANK is \(globalRank), but \(nodeVariable ?? WorkerVariable.nodeRank) \(nodeRank) and LOCAL_RANK \(localRank) with "
            + "\(numDevices) processes on each node make it \(nodeRank * numDevices + localRank)",
          suggestion: "number the processes node by node"))
    }
    if worldSize > 1 && (mainPort ?? 0) == 0 {
      problems.append(
        .init(
          "MASTER_PORT",
          "this process was started as one of WORLD_SIZE=\(worldSize), but MASTER_PORT is not set",
          suggestion: "set it to the port of rank 0's store, such as MASTER_PORT=29500, or unset LOCAL_RANK, RANK and "
            + "WORLD_SIZE to let Stratagem start the processes"))
    }
    if numNodes > 1 && !hasMainAddress {
      problems.append(
        .init(
          "MASTER_ADDR", "numNodes is \(numNodes), but MASTER_ADDR is not set",
          suggestion: "set it to the address of node 0: MASTER_ADDR=<address of node 0>"))
    }
    return problems
  }

  private func problemsOfMain(_ numDevices: Int, _ numNodes: Int) -> [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    if localRank > 0 {
      problems.append(.init("LOCAL_RANK", LaunchError.foreignLocalRank(localRank).description))
    }
    if nodeRank >= numNodes { problems.append(nodeProblem(numNodes)) }
    guard numNodes > 1 else { return problems }
    var missing: [String] = []
    if !hasMainAddress { missing.append(WorkerVariable.mainAddress) }
    if (mainPort ?? 0) == 0 { missing.append(WorkerVariable.mainPort) }
    if nodeVariable == nil { missing.append(WorkerVariable.nodeRank) }
    if missing.isEmpty { return problems }
    problems.append(
      .init(
        "numNodes",
        "numNodes is \(numNodes), but \(missing.joined(separator: ", ")) \(missing.count == 1 ? "is" : "are") not set, "
          + "so the nodes cannot find each other",
        suggestion: "start the program on every node with `MASTER_ADDR=<address of node 0> MASTER_PORT=29500 "
          + "NODE_RANK=<0 to \(numNodes - 1)> PROGRAM`, or with `torchrun --no-python --nnodes \(numNodes) "
          + "--nproc-per-node \(numDevices)`"))
    return problems
  }

  private func nodeProblem(_ numNodes: Int) -> ConfigurationError.Problem {
    let name = nodeVariable ?? WorkerVariable.nodeRank
    return .init(
      name, "\(name) is \(nodeRank), but numNodes is \(numNodes)",
      suggestion: numNodes == 1
        ? "write numNodes: \(nodeRank + 1) or more, or unset \(name)"
        : "number the nodes from 0 to \(numNodes - 1)")
  }
}

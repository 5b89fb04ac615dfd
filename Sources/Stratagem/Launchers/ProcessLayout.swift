internal import CProcess

/// How many processes a run has and where: what the plan of a run tells a launcher.
public struct ProcessLayout: Sendable, Hashable {
  /// The processes on each node.
  public let processesPerNode: Int
  /// The number of nodes.
  public let numNodes: Int
  /// The number of this node, `0 ..< numNodes`.
  public let nodeRank: Int
  /// The place of this process, when the plan of the run has found it.
  private let planned: ClusterPlace?

  /// Makes a layout.
  public init(processesPerNode: Int, numNodes: Int = 1, nodeRank: Int = 0) {
    self.init(processesPerNode, numNodes, nodeRank, nil)
  }

  /// The layout of a plan.
  public init(_ plan: RunPlan) { self.init(plan.processesPerNode, plan.numNodes, plan.nodeRank, plan.cluster) }

  private init(_ processesPerNode: Int, _ numNodes: Int, _ nodeRank: Int, _ planned: ClusterPlace?) {
    self.processesPerNode = processesPerNode
    self.numNodes = numNodes
    self.nodeRank = nodeRank
    self.planned = planned
  }

  /// The number of processes in all.
  public var worldSize: Int { processesPerNode * numNodes }

  /// The place of a process of this node.
  public func identity(localRank: Int) -> WorkerIdentity {
    WorkerIdentity(localRank: localRank, nodeRank: nodeRank, localWorldSize: processesPerNode, numNodes: numNodes)
  }

  /// Threads that each process should compute with: a fair share of the processors.
  var threadsPerProcess: Int { max(1, Int(cp_available_processors()) / max(1, processesPerNode)) }

  /// Checks that the numbers make a run.
  func check() throws(LaunchError) {
    guard processesPerNode >= 1, processesPerNode <= Int(CP_MAXIMUM_WORKERS) else {
      throw .invalidLayout("\(processesPerNode) processes per node make no run: use 1 to \(CP_MAXIMUM_WORKERS)")
    }
    guard numNodes >= 1, (0..<numNodes).contains(nodeRank) else {
      throw .invalidLayout(
        "node rank \(nodeRank) of \(numNodes) node(s) makes no run: node ranks are 0 to \(max(0, numNodes - 1))")
    }
  }

  /// The place of this process: that of the plan, or what the environment variables tell, checked against the layout.
  func place() throws(ConfigurationError) -> ClusterPlace {
    if let planned { return planned }
    let environment = try ClusterEnvironments.detect(
      ClusterEnvironments.processVariables, numDevices: processesPerNode, numNodes: numNodes)
    try environment.validate(numDevices: processesPerNode, numNodes: numNodes)
    return ClusterPlace(environment, processesPerNode: processesPerNode, numNodes: numNodes)
  }

  func identity(of place: ClusterPlace) -> WorkerIdentity {
    WorkerIdentity(
      globalRank: place.globalRank, localRank: place.localRank, nodeRank: place.nodeRank, worldSize: place.worldSize,
      localWorldSize: processesPerNode)
  }
}

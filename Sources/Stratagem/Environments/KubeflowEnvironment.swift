/// Replicas of a Kubeflow `PyTorchJob`: one process in each pod, which counts as a node.
public struct KubeflowEnvironment: ClusterEnvironment {
  public let name = "Kubeflow"
  public let createsProcessesExternally = true
  public let mainAddress: String
  public let mainPort: Int?
  public let worldSize: Int
  public let globalRank: Int
  public let localRank = 0
  public var nodeRank: Int { globalRank }
  public var localWorldSize: Int? { 1 }

  /// Returns whether this is a pod of a job whose processes torchrun did not start.
  public static func describes(_ environment: [String: String]) -> Bool {
    let needed = [
      "KUBERNETES_PORT", WorkerVariable.mainAddress, WorkerVariable.mainPort, WorkerVariable.worldSize,
      WorkerVariable.globalRank,
    ]
    let foreign = [WorkerVariable.groupRank, WorkerVariable.localRank, WorkerVariable.localWorldSize]
    return needed.allSatisfy { environment[$0] != nil } && foreign.allSatisfy { environment[$0] == nil }
  }

  /// Reads `MASTER_ADDR`, `MASTER_PORT`, `WORLD_SIZE` and `RANK`.
  ///
  /// - Throws: `ConfigurationError` naming every variable that is missing, not a number or out of range.
  public init(_ environment: [String: String]) throws(ConfigurationError) {
    var reader = VariableReader(environment)
    reader.require(
      [WorkerVariable.mainAddress, WorkerVariable.mainPort, WorkerVariable.worldSize, WorkerVariable.globalRank],
      because: "this is a pod of Kubeflow", suggestion: "start it as a replica of a PyTorchJob")
    mainAddress = reader.text(WorkerVariable.mainAddress) ?? "127.0.0.1"
    mainPort = reader.integer(WorkerVariable.mainPort, in: VariableReader.ports)
    worldSize = reader.integer(WorkerVariable.worldSize, in: VariableReader.positive) ?? 1
    globalRank = reader.integer(WorkerVariable.globalRank) ?? 0
    if reader.problems.isEmpty && globalRank >= worldSize {
      reader.report(
        WorkerVariable.globalRank, "RANK is \(globalRank), but WORLD_SIZE is \(worldSize)",
        "start it as a replica of a PyTorchJob")
    }
    try reader.check()
  }

  public func validate(numDevices: Int, numNodes: Int) throws(ConfigurationError) {
    if numDevices == 1 && numNodes == worldSize { return }
    throw ConfigurationError(
      "WORLD_SIZE",
      "Kubeflow started \(worldSize) \(worldSize == 1 ? "pod" : "pods") with one process each, but "
        + asked(numDevices, numNodes),
      suggestion: "write Trainer(devices: 1, numNodes: \(worldSize)), or `replicas: \(max(1, numNodes - 1))` for "
        + "Worker beside `replicas: 1` for Master in the PyTorchJob")
  }
}

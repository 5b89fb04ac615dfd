/// Processes started by Bagua's launcher, `python -m bagua.distributed.launch` or `run`.
public struct BaguaEnvironment: ClusterEnvironment {
  /// The variable by which they are recognised: the port of a service that Stratagem does not need.
  static let servicePort = "BAGUA_SERVICE_PORT"

  public let name = "Bagua"
  public let createsProcessesExternally = true
  public let mainAddress: String
  public let mainPort: Int?
  public let worldSize: Int
  public let globalRank: Int
  public let localRank: Int
  public let nodeRank: Int
  public let localWorldSize: Int?

  /// Returns whether the variables are those of Bagua's launcher.
  public static func describes(_ environment: [String: String]) -> Bool { environment[servicePort] != nil }

  /// Reads `MASTER_ADDR`, `MASTER_PORT`, `WORLD_SIZE`, `RANK`, `LOCAL_RANK`, `NODE_RANK` and `LOCAL_WORLD_SIZE`.
  ///
  /// - Throws: `ConfigurationError` naming every variable that is missing, not a number or out of range.
  public init(_ environment: [String: String]) throws(ConfigurationError) {
    var reader = VariableReader(environment)
    reader.require(
      [WorkerVariable.worldSize, WorkerVariable.globalRank, WorkerVariable.mainPort],
      because: "this looks like a process of Bagua's launcher (\(Self.servicePort) is set)",
      suggestion: "start the program with it, or unset \(Self.servicePort) to let Stratagem start the processes")
    mainAddress = reader.text(WorkerVariable.mainAddress) ?? "127.0.0.1"
    mainPort = reader.integer(WorkerVariable.mainPort, in: VariableReader.ports)
    let world = reader.integer(WorkerVariable.worldSize, in: VariableReader.positive)
    let rank = reader.integer(WorkerVariable.globalRank) ?? 0
    let onNode = reader.integer(WorkerVariable.localWorldSize, in: VariableReader.positive)
    let node = reader.integer(WorkerVariable.nodeRank)
    worldSize = world ?? 1
    globalRank = rank
    localRank = reader.integer(WorkerVariable.localRank) ?? 0
    localWorldSize = onNode
    nodeRank = node ?? onNode.map { rank / $0 } ?? 0
    if reader.problems.isEmpty && globalRank >= worldSize {
      reader.report(
        WorkerVariable.globalRank, "RANK is \(globalRank), but WORLD_SIZE is \(worldSize)",
        "number the processes from 0 to \(worldSize - 1)")
    }
    try reader.check()
  }

  public func validate(numDevices: Int, numNodes: Int) throws(ConfigurationError) {
    if numDevices * numNodes == worldSize, localWorldSize ?? numDevices == numDevices { return }
    var suggestion = "start \(numDevices) processes on each of \(numNodes) nodes"
    if let localWorldSize, worldSize.isMultiple(of: localWorldSize) {
      suggestion += ", or write Trainer(devices: \(localWorldSize), numNodes: \(worldSize / localWorldSize))"
    }
    throw ConfigurationError(
      "WORLD_SIZE", "Bagua's launcher started \(worldSize) processes, but \(asked(numDevices, numNodes))",
      suggestion: suggestion)
  }
}

/// Processes started by `torchrun` (torch.distributed.elastic).
public struct TorchElasticEnvironment: ClusterEnvironment {
  public let name = "torchrun"
  public let createsProcessesExternally = true
  public let mainAddress: String
  public let mainPort: Int?
  public let worldSize: Int
  public let globalRank: Int
  public let localRank: Int
  public let nodeRank: Int
  public let localWorldSize: Int?

  /// The identity of the run that torchrun gives to all processes.
  public let runID: String?

  /// Returns whether the variables are torchrun's.
  public static func describes(_ environment: [String: String]) -> Bool {
    if environment[WorkerVariable.elasticRunID] != nil { return true }
    let names = [
      WorkerVariable.globalRank, WorkerVariable.groupRank, WorkerVariable.localRank, WorkerVariable.localWorldSize,
    ]
    return names.allSatisfy { environment[$0] != nil }
  }

  /// Reads torchrun's variables.
  ///
  /// - Parameter environment: `RANK`, `LOCAL_RANK`, `WORLD_SIZE`, `MASTER_ADDR`, `MASTER_PORT`, and when known
  ///   `GROUP_RANK`, `LOCAL_WORLD_SIZE`, `TORCHELASTIC_RUN_ID`.
  /// - Throws: `ConfigurationError` naming every variable that is missing, not a number or out of range.
  public init(_ environment: [String: String]) throws(ConfigurationError) {
    var reader = VariableReader(environment)
    reader.require(
      [
        WorkerVariable.globalRank, WorkerVariable.localRank, WorkerVariable.worldSize, WorkerVariable.mainAddress,
        WorkerVariable.mainPort,
      ],
      because: "this looks like a process of torchrun",
      suggestion: "start the program with `torchrun --no-python`, or unset TORCHELASTIC_RUN_ID, RANK, GROUP_RANK and "
        + "LOCAL_RANK to let Stratagem start the processes")
    let world = reader.integer(WorkerVariable.worldSize, in: VariableReader.positive)
    globalRank = reader.integer(WorkerVariable.globalRank) ?? 0
    localRank = reader.integer(WorkerVariable.localRank) ?? 0
    nodeRank = reader.integer(WorkerVariable.groupRank) ?? 0
    worldSize = world ?? 1
    localWorldSize = reader.integer(WorkerVariable.localWorldSize, in: VariableReader.positive)
    mainAddress = reader.text(WorkerVariable.mainAddress) ?? "127.0.0.1"
    mainPort = reader.integer(WorkerVariable.mainPort, in: VariableReader.ports)
    runID = environment[WorkerVariable.elasticRunID]
    if let world, globalRank >= world {
      reader.report(
        WorkerVariable.globalRank, "RANK is \(globalRank), but WORLD_SIZE is \(world)",
        "number the processes from 0 to \(world - 1)")
    }
    try reader.check()
  }

  public func validate(numDevices: Int, numNodes: Int) throws(ConfigurationError) {
    let expected = numDevices * numNodes
    let command = "start it with `torchrun --no-python --nnodes \(numNodes) --nproc-per-node \(numDevices)`"
    if expected == worldSize, let localWorldSize, localWorldSize != numDevices {
      throw ConfigurationError(
        "devices",
        "torchrun started \(localWorldSize) processes on this node, but \(asked(numDevices, numNodes))",
        suggestion: command)
    }
    guard expected != worldSize else { return }
    var suggestion = command
    if let localWorldSize, worldSize.isMultiple(of: localWorldSize) {
      suggestion += ", or write Trainer(devices: \(localWorldSize), numNodes: \(worldSize / localWorldSize))"
    }
    throw ConfigurationError(
      "devices", "torchrun started \(worldSize) processes, but \(asked(numDevices, numNodes))", suggestion: suggestion)
  }
}

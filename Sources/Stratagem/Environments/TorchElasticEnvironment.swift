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

  /// The number of processes on this node, when torchrun tells it.
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
  /// - Throws: `ClusterEnvironmentError` naming every variable that is missing, or one that is not a number.
  public init(_ environment: [String: String]) throws(ClusterEnvironmentError) {
    let needed = [
      WorkerVariable.globalRank, WorkerVariable.localRank, WorkerVariable.worldSize, WorkerVariable.mainAddress,
      WorkerVariable.mainPort,
    ]
    let missing = needed.filter { (environment[$0] ?? "").isEmpty }
    guard missing.isEmpty else {
      throw ClusterEnvironmentError(
        "this looks like a process of torchrun, but \(missing.joined(separator: ", ")) "
          + (missing.count == 1 ? "is" : "are") + " not set: start the program with `torchrun`, or unset "
          + "TORCHELASTIC_RUN_ID, RANK, GROUP_RANK and LOCAL_RANK to let Stratagem start the processes")
    }
    let positive = 1...Int(Int32.max)
    let rank = try ProcessVariables.integer(WorkerVariable.globalRank, in: environment)
    let local = try ProcessVariables.integer(WorkerVariable.localRank, in: environment)
    let group = try ProcessVariables.integer(WorkerVariable.groupRank, in: environment)
    let world = try ProcessVariables.integer(WorkerVariable.worldSize, in: environment, range: positive)
    globalRank = rank ?? 0
    localRank = local ?? 0
    nodeRank = group ?? 0
    worldSize = world ?? 1
    localWorldSize = try ProcessVariables.integer(WorkerVariable.localWorldSize, in: environment, range: positive)
    mainAddress = environment[WorkerVariable.mainAddress] ?? "127.0.0.1"
    mainPort = try ProcessVariables.integer(WorkerVariable.mainPort, in: environment, range: 1...65535)
    runID = environment[WorkerVariable.elasticRunID]
    guard globalRank < worldSize else {
      throw ClusterEnvironmentError(
        "RANK is \(globalRank), but WORLD_SIZE is \(worldSize): ranks are 0 to \(worldSize - 1)")
    }
  }

  public func validate(numDevices: Int, numNodes: Int) throws(ClusterEnvironmentError) {
    let asked = numDevices * numNodes
    if asked == worldSize, let localWorldSize, localWorldSize != numDevices {
      throw ClusterEnvironmentError(
        "torchrun started \(localWorldSize) processes on this node, but the trainer has devices: \(numDevices): "
          + "start it with `torchrun --nnodes \(numNodes) --nproc-per-node \(numDevices)`")
    }
    guard asked != worldSize else { return }
    var remedy = "start it with `torchrun --nnodes \(numNodes) --nproc-per-node \(numDevices)`"
    if let localWorldSize, localWorldSize > 0, worldSize.isMultiple(of: localWorldSize) {
      remedy += ", or write Trainer(devices: \(localWorldSize), numNodes: \(worldSize / localWorldSize))"
    }
    throw ClusterEnvironmentError(
      "torchrun started \(worldSize) processes, but the trainer asks for devices: \(numDevices) on numNodes: "
        + "\(numNodes), \(asked) processes: \(remedy)")
  }
}

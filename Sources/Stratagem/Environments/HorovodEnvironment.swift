/// Processes started by `horovodrun`, or by whatever sets its variables.
///
/// The launcher's own rendezvous server (`HOROVOD_GLOO_RENDEZVOUS_ADDR`, `HOROVOD_GLOO_RENDEZVOUS_PORT`) is not talked to:
/// rank 0 opens a store of its own on the machine named there, on a port that follows from it. `MASTER_ADDR` and
/// `MASTER_PORT` say otherwise where rank 0 is on another machine.
public struct HorovodEnvironment: ClusterEnvironment {
  public let name = "horovodrun"
  public let createsProcessesExternally = true
  public let mainAddress: String
  public let mainPort: Int?
  public let worldSize: Int
  public let globalRank: Int
  public let localRank: Int
  public let nodeRank: Int
  public let localWorldSize: Int?
  /// The number of nodes.
  public let nodeCount: Int

  private static let rank = "HOROVOD_RANK"
  private static let size = "HOROVOD_SIZE"
  private static let localRank = "HOROVOD_LOCAL_RANK"
  private static let localSize = "HOROVOD_LOCAL_SIZE"
  private static let crossRank = "HOROVOD_CROSS_RANK"
  private static let crossSize = "HOROVOD_CROSS_SIZE"
  private static let address = "HOROVOD_GLOO_RENDEZVOUS_ADDR"
  private static let port = "HOROVOD_GLOO_RENDEZVOUS_PORT"

  /// Returns whether the variables are those of a process of horovodrun.
  public static func describes(_ environment: [String: String]) -> Bool { environment[rank] != nil }

  /// Reads the launcher's variables.
  ///
  /// - Parameter environment: `HOROVOD_RANK`, `HOROVOD_SIZE`, and when known `HOROVOD_LOCAL_RANK`, `HOROVOD_LOCAL_SIZE`,
  ///   `HOROVOD_CROSS_RANK`, `HOROVOD_CROSS_SIZE`, `HOROVOD_GLOO_RENDEZVOUS_ADDR` and `HOROVOD_GLOO_RENDEZVOUS_PORT`.
  /// - Throws: `ConfigurationError` naming every variable that is missing, not a number or out of range.
  public init(_ environment: [String: String]) throws(ConfigurationError) {
    var reader = VariableReader(environment)
    reader.require(
      [Self.rank, Self.size], because: "this looks like a process of horovodrun",
      suggestion: "start the program with `horovodrun -np 2 PROGRAM` or `mpirun -np 2 PROGRAM`, or unset the variables "
        + "HOROVOD_RANK and HOROVOD_SIZE to let Stratagem start the processes")
    let world = reader.integer(Self.size, in: VariableReader.positive)
    let rank = reader.integer(Self.rank) ?? 0
    let localSize = reader.integer(Self.localSize, in: VariableReader.positive)
    let crossSize = reader.integer(Self.crossSize, in: VariableReader.positive)
    let local = reader.integer(Self.localRank)
    let cross = reader.integer(Self.crossRank)
    worldSize = world ?? 1
    globalRank = rank
    localWorldSize = localSize ?? (crossSize ?? 1 == 1 ? worldSize : nil)
    nodeCount = crossSize ?? localSize.map { [worldSize] in max(1, worldSize / $0) } ?? 1
    localRank = local ?? localSize.map { rank % $0 } ?? rank
    nodeRank = cross ?? localSize.map { rank / $0 } ?? 0

    let server = reader.text(Self.address)
    let serverPort = reader.integer(Self.port, in: VariableReader.ports)
    mainAddress =
      reader.text(WorkerVariable.mainAddress) ?? (nodeCount == 1 ? "127.0.0.1" : server ?? "127.0.0.1")
    mainPort =
      reader.integer(WorkerVariable.mainPort, in: VariableReader.ports)
      ?? MPIEnvironment.port(for: "\(server ?? ""):\(serverPort ?? 0)")
    if let world, rank >= world {
      reader.report(
        Self.rank, "\(Self.rank) is \(rank), but \(Self.size) is \(world)",
        "number the processes from 0 to \(world - 1)")
    }
    if let localSize, let world, localSize > world {
      reader.report(
        Self.localSize, "\(Self.localSize) is \(localSize), but \(Self.size) is \(world)",
        "start the program with `horovodrun`")
    }
    if nodeCount > 1, server == nil, reader.text(WorkerVariable.mainAddress) == nil {
      reader.report(
        Self.address,
        "\(Self.crossSize) is \(nodeCount), but neither \(Self.address) nor MASTER_ADDR is set, so the nodes cannot find "
          + "each other", "set MASTER_ADDR and MASTER_PORT to the address of the first node and a free port of it")
    }
    try reader.check()
  }

  public func validate(numDevices: Int, numNodes: Int) throws(ConfigurationError) {
    guard worldSize != numDevices * numNodes || (localWorldSize ?? numDevices) != numDevices else { return }
    let here = localWorldSize.map { ", \($0) on this node" } ?? ""
    var suggestion = "start it with `horovodrun -np \(numDevices * numNodes) PROGRAM`"
    if let localWorldSize { suggestion += ", or write Trainer(devices: \(localWorldSize))" }
    throw ConfigurationError(
      "devices", "horovodrun started \(worldSize) processes\(here), but \(asked(numDevices, numNodes))",
      suggestion: suggestion)
  }
}

/// Processes started by `mpirun` or `mpiexec` of Open MPI, MPICH, MVAPICH or Intel MPI.
///
/// MPI itself is never initialised: its launchers tell each process its place in environment variables. The address of
/// rank 0 is known when all processes are on one node; otherwise `MASTER_ADDR` has to be set.
public struct MPIEnvironment: ClusterEnvironment {
  public let name: String
  public let createsProcessesExternally = true
  public let mainAddress: String
  public let mainPort: Int?
  public let worldSize: Int
  public let globalRank: Int
  public let localRank: Int
  public let nodeRank: Int
  public let localWorldSize: Int?

  private let hasMainAddress: Bool
  private let hasMainPort: Bool
  private let family: Family

  /// The variables of one implementation.
  private struct Family {
    var name: String
    var size: String
    var rank: String
    var localRank: String
    var localSize: String
    /// Variables that differ between jobs but not between the processes of one.
    var identity: [String]
    /// How the launcher is told the number of processes on each node, and to pass a variable on.
    var perNode: String
    var export: String
  }

  private static let families = [
    Family(
      name: "Open MPI", size: "OMPI_COMM_WORLD_SIZE", rank: "OMPI_COMM_WORLD_RANK",
      localRank: "OMPI_COMM_WORLD_LOCAL_RANK", localSize: "OMPI_COMM_WORLD_LOCAL_SIZE",
      identity: ["OMPI_MCA_ess_base_jobid", "PMIX_NAMESPACE"], perNode: "--map-by ppr:COUNT:node",
      export: "-x NAME=VALUE"),
    Family(
      name: "MVAPICH", size: "MV2_COMM_WORLD_SIZE", rank: "MV2_COMM_WORLD_RANK",
      localRank: "MV2_COMM_WORLD_LOCAL_RANK", localSize: "MV2_COMM_WORLD_LOCAL_SIZE", identity: ["PMI_JOBID"],
      perNode: "-ppn COUNT", export: "-env NAME VALUE"),
    Family(
      name: "MPICH", size: "PMI_SIZE", rank: "PMI_RANK", localRank: "MPI_LOCALRANKID", localSize: "MPI_LOCALNRANKS",
      identity: ["PMI_JOBID"], perNode: "-ppn COUNT", export: "-env NAME VALUE"),
  ]

  private static func family(of environment: [String: String]) -> Family? {
    families.first { Int(environment[$0.size] ?? "") ?? 0 > 1 && environment[$0.rank] != nil }
  }

  /// Returns whether a launcher of MPI started this process as one of several.
  public static func describes(_ environment: [String: String]) -> Bool { family(of: environment) != nil }

  /// Reads the variables of the launcher.
  ///
  /// - Parameter environment: size and rank under the names of Open MPI (`OMPI_COMM_WORLD_*`), MVAPICH
  ///   (`MV2_COMM_WORLD_*`) or MPICH and Intel MPI (`PMI_*`, `MPI_LOCALRANKID`); `MASTER_ADDR` and `MASTER_PORT` for
  ///   several nodes.
  /// - Throws: `ConfigurationError` for values that are not a number or out of range.
  public init(_ environment: [String: String]) throws(ConfigurationError) {
    guard let family = Self.family(of: environment) else {
      throw ConfigurationError(
        "environment", "no launcher of MPI started this process", suggestion: "start it with `mpirun -np 2 PROGRAM`")
    }
    var reader = VariableReader(environment)
    self.family = family
    name = family.name
    worldSize = reader.integer(family.size, in: VariableReader.positive) ?? 1
    globalRank = reader.integer(family.rank) ?? 0
    let localSize = reader.integer(family.localSize, in: VariableReader.positive)
    let local = reader.integer(family.localRank)
    localWorldSize = localSize
    localRank = local ?? localSize.map { [globalRank] in globalRank % $0 } ?? globalRank
    nodeRank = localSize.map { [globalRank] in globalRank / $0 } ?? 0

    let address = reader.text(WorkerVariable.mainAddress)
    let port = reader.integer(WorkerVariable.mainPort, in: VariableReader.ports)
    hasMainAddress = address != nil
    hasMainPort = port != nil
    mainAddress = address ?? "127.0.0.1"
    let identity = family.identity.lazy.compactMap(reader.text).first ?? reader.text(WorkerVariable.parent) ?? ""
    mainPort = port ?? Self.port(for: identity)
    if reader.problems.isEmpty && globalRank >= worldSize {
      reader.report(
        family.rank, "\(family.rank) is \(globalRank), but \(family.size) is \(worldSize)",
        "start the program with `mpirun`")
    }
    try reader.check()
  }

  /// Returns the port that the processes of a job agree on without talking, below those that the system hands out.
  static func port(for identity: String) -> Int {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in identity.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return 15000 + Int((hash ^ (hash >> 32)) % 17000)
  }

  public func validate(numDevices: Int, numNodes: Int) throws(ConfigurationError) {
    let isWrong = worldSize != numDevices * numNodes || (localWorldSize ?? numDevices) != numDevices
    if isWrong {
      let here = localWorldSize.map { ", \($0) on this node" } ?? ""
      var suggestion = "start it with `\(command(numDevices, numNodes)) PROGRAM`"
      if let localWorldSize, worldSize.isMultiple(of: localWorldSize) {
        suggestion += ", or write Trainer(devices: \(localWorldSize), numNodes: \(worldSize / localWorldSize))"
      }
      throw ConfigurationError(
        family.size, "mpirun started \(worldSize) processes\(here), but \(asked(numDevices, numNodes))",
        suggestion: suggestion)
    }
    guard numNodes > 1, !hasMainAddress || !hasMainPort else { return }
    var missing: [String] = []
    if !hasMainAddress { missing.append(WorkerVariable.mainAddress) }
    if !hasMainPort { missing.append(WorkerVariable.mainPort) }
    let exports = [(WorkerVariable.mainAddress, "<address of the first node>"), (WorkerVariable.mainPort, "29500")]
      .map { family.export.replacing("NAME", with: $0).replacing("VALUE", with: $1) }.joined(separator: " ")
    throw ConfigurationError(
      missing[0],
      "numNodes is \(numNodes), but \(missing.joined(separator: ", ")) \(missing.count == 1 ? "is" : "are") not set, so "
        + "the nodes cannot find each other",
      suggestion: "start it with `\(command(numDevices, numNodes)) \(exports) PROGRAM`")
  }

  private func command(_ numDevices: Int, _ numNodes: Int) -> String {
    "mpirun -np \(numDevices * numNodes)"
      + (numNodes == 1 ? "" : " " + family.perNode.replacing("COUNT", with: "\(numDevices)"))
  }
}

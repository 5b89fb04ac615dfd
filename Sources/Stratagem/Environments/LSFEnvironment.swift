/// Processes of an LSF job, started by `jsrun` (IBM's Job Step Manager).
///
/// LSF gives the hosts in a file, which is part of the snapshot that `ClusterEnvironments.processVariables` takes.
public struct LSFEnvironment: ClusterEnvironment {
  public let name = "LSF"
  public let createsProcessesExternally = true
  public let mainAddress: String
  public let mainPort: Int?
  public let worldSize: Int
  public let globalRank: Int
  public let localRank: Int
  public let nodeRank: Int
  public let localWorldSize: Int?

  static let rankFile = "LSB_DJOB_RANKFILE"

  /// Returns whether this is a process of `jsrun`.
  public static func describes(_ environment: [String: String]) -> Bool {
    ["LSB_JOBID", rankFile, "JSM_NAMESPACE_LOCAL_RANK", "JSM_NAMESPACE_SIZE"].allSatisfy { environment[$0] != nil }
  }

  /// Reads the variables of LSF and `jsrun`.
  ///
  /// - Parameter environment: `JSM_NAMESPACE_SIZE`, `JSM_NAMESPACE_RANK`, `JSM_NAMESPACE_LOCAL_RANK`; the address of
  ///   rank 0 from `MASTER_ADDR` or the hosts of the job, its port from `MASTER_PORT` or the number of the job.
  /// - Throws: `ConfigurationError` naming every variable that is missing, not a number or out of range.
  public init(_ environment: [String: String]) throws(ConfigurationError) {
    var reader = VariableReader(environment)
    reader.require(
      ["JSM_NAMESPACE_RANK", "JSM_NAMESPACE_LOCAL_RANK", "JSM_NAMESPACE_SIZE"], because: "this is an LSF job",
      suggestion: "start the program in the job script with `jsrun PROGRAM`")
    worldSize = reader.integer("JSM_NAMESPACE_SIZE", in: VariableReader.positive) ?? 1
    globalRank = reader.integer("JSM_NAMESPACE_RANK") ?? 0
    localRank = reader.integer("JSM_NAMESPACE_LOCAL_RANK") ?? 0
    let localSize = reader.integer("JSM_NAMESPACE_LOCAL_SIZE", in: VariableReader.positive)
    let job = reader.integer("LSB_JOBID")
    mainPort = reader.integer(WorkerVariable.mainPort, in: VariableReader.ports) ?? 10000 + (job ?? 0) % 1000

    // The first line is the node from which the job was launched; no process runs there.
    let listed = (reader.text(WorkerVariable.hosts) ?? "").split(separator: " ").dropFirst().map(String.init)
    var hosts: [String] = []
    for host in listed where !hosts.contains(host) { hosts.append(host) }
    let evenly = hosts.isEmpty || !worldSize.isMultiple(of: hosts.count) ? nil : worldSize / hosts.count
    localWorldSize = localSize ?? evenly
    if let own = reader.text(WorkerVariable.hostName), let index = Self.index(of: own, in: hosts) {
      nodeRank = index
    } else {
      nodeRank = localWorldSize.map { [globalRank] in globalRank / $0 } ?? 0
    }
    let address = reader.text(WorkerVariable.mainAddress) ?? hosts.first
    mainAddress = address ?? "127.0.0.1"
    if address == nil && worldSize > 1 {
      reader.report(
        WorkerVariable.mainAddress,
        "the file \(reader.text(Self.rankFile) ?? "") of \(Self.rankFile) names no host, and MASTER_ADDR is not set",
        "start the program with `jsrun -E MASTER_ADDR=<address of the first node> PROGRAM`")
    }
    if globalRank >= worldSize {
      reader.report(
        "JSM_NAMESPACE_RANK", "JSM_NAMESPACE_RANK is \(globalRank), but JSM_NAMESPACE_SIZE is \(worldSize)",
        "start the program in the job script with `jsrun PROGRAM`")
    }
    try reader.check()
  }

  /// Finds a machine by its name with or without its domain.
  private static func index(of name: String, in hosts: [String]) -> Int? {
    hosts.firstIndex(of: name)
      ?? hosts.firstIndex { $0.split(separator: ".").first == name.split(separator: ".").first }
  }

  public func validate(numDevices: Int, numNodes: Int) throws(ConfigurationError) {
    let isWrong = worldSize != numDevices * numNodes || (localWorldSize ?? numDevices) != numDevices
    guard isWrong else { return }
    var suggestion = "start it with `jsrun --nrs \(numNodes) --tasks_per_rs \(numDevices) PROGRAM`"
    if let localWorldSize, worldSize.isMultiple(of: localWorldSize) {
      suggestion += ", or write Trainer(devices: \(localWorldSize), numNodes: \(worldSize / localWorldSize))"
    }
    let each = localWorldSize.map { ", \($0) on this node" } ?? ""
    throw ConfigurationError(
      "JSM_NAMESPACE_SIZE",
      "jsrun started \(worldSize) \(worldSize == 1 ? "process" : "processes")\(each), but "
        + asked(numDevices, numNodes), suggestion: suggestion)
  }
}

/// Processes on TPU cores: the runtime of XLA starts one for each core of a host and numbers the hosts.
///
/// A process learns its place from `PJRT_LOCAL_PROCESS_RANK` and `PJRT_LOCAL_PROCESS_COUNT`, a host its own from
/// `TPU_WORKER_ID` and `TPU_WORKER_HOSTNAMES`.
public struct XLAEnvironment: ClusterEnvironment {
  public let name = "XLA"
  /// The launcher of the strategy starts the processes, through the runtime.
  public let createsProcessesExternally: Bool
  public let mainAddress: String
  public let mainPort: Int?
  public let worldSize: Int
  public let globalRank: Int
  public let localRank: Int
  public let nodeRank: Int
  public let localWorldSize: Int?

  private let hostCount: Int?

  /// Returns whether the variables are those of a TPU host.
  public static func describes(_ environment: [String: String]) -> Bool {
    environment["PJRT_DEVICE"] == "TPU" || environment["XRT_TPU_CONFIG"] != nil
  }

  /// Reads the variables of the runtime.
  ///
  /// - Parameters:
  ///   - environment: the variables of the process.
  ///   - numDevices: the cores of each host.
  ///   - numNodes: the hosts.
  /// - Throws: `ConfigurationError` for values that are not a number or out of range.
  public init(_ environment: [String: String], numDevices: Int = 1, numNodes: Int = 1) throws(ConfigurationError) {
    var reader = VariableReader(environment)
    let local = reader.integer("PJRT_LOCAL_PROCESS_RANK")
    let count = reader.integer("PJRT_LOCAL_PROCESS_COUNT", in: VariableReader.positive)
    let host = reader.integer("TPU_WORKER_ID")
    let hosts = reader.text("TPU_WORKER_HOSTNAMES")?.split(separator: ",").map(String.init)
    mainPort = reader.integer(WorkerVariable.mainPort, in: VariableReader.ports)
    try reader.check()
    let processes = max(1, numDevices)
    createsProcessesExternally = local != nil
    localWorldSize = count
    localRank = local ?? 0
    nodeRank = host ?? 0
    hostCount = hosts?.count
    worldSize = processes.multipliedReportingOverflow(by: hosts?.count ?? numNodes).partialValue
    globalRank = nodeRank * processes + localRank
    mainAddress = reader.text(WorkerVariable.mainAddress) ?? hosts?.first ?? "127.0.0.1"
  }

  public func validate(numDevices: Int, numNodes: Int) throws(ConfigurationError) {
    var problems: [ConfigurationError.Problem] = []
    if let hostCount, hostCount != numNodes {
      problems.append(
        .init(
          "TPU_WORKER_HOSTNAMES", "TPU_WORKER_HOSTNAMES names \(hostCount) hosts, but numNodes is \(numNodes)",
          suggestion: "write numNodes: \(hostCount)"))
    } else if nodeRank >= numNodes {
      problems.append(
        .init(
          "TPU_WORKER_ID", "TPU_WORKER_ID is \(nodeRank), but numNodes is \(numNodes)",
          suggestion: "write the number of hosts as numNodes"))
    }
    if let localWorldSize, localWorldSize != numDevices {
      problems.append(
        .init(
          "PJRT_LOCAL_PROCESS_COUNT",
          "the runtime started \(localWorldSize) processes on this host, but \(asked(numDevices, numNodes))",
          suggestion: "write devices: \(localWorldSize)"))
    }
    if let error = ConfigurationError(problems) { throw error }
  }
}

/// Tasks of a SLURM job, started by `srun`.
///
/// Source: the output environment variables in the manual pages of `sbatch` and `srun`.
public struct SLURMEnvironment: ClusterEnvironment {
  public let name = "SLURM"
  public let createsProcessesExternally = true
  public let mainAddress: String
  public let mainPort: Int?
  public let worldSize: Int
  public let globalRank: Int
  public let localRank: Int
  public let nodeRank: Int
  public let localWorldSize: Int?

  /// The nodes of the job, when SLURM tells.
  public let numNodes: Int?

  /// Whether `srun` started this process, as opposed to the job script itself.
  private let isStep: Bool

  /// Returns whether this is a task of a job; an interactive shell of a job is none.
  public static func describes(_ environment: [String: String]) -> Bool {
    guard let tasks = environment[tasks], !tasks.isEmpty else { return false }
    return !["bash", "interactive"].contains(environment["SLURM_JOB_NAME"] ?? "")
  }

  private static let tasks = "SLURM_NTASKS"

  /// Reads SLURM's variables.
  ///
  /// - Parameter environment: `SLURM_NTASKS`, `SLURM_PROCID`, `SLURM_LOCALID`, `SLURM_NODEID`; the address of rank 0
  ///   from `MASTER_ADDR` or a node list, its port from `MASTER_PORT` or the number of the job.
  /// - Throws: `ConfigurationError` naming every variable that is missing, not a number or out of range.
  public init(_ environment: [String: String]) throws(ConfigurationError) {
    var reader = VariableReader(environment)
    reader.require(
      ["SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"],
      because: "this is a SLURM job of SLURM_NTASKS=\(environment[Self.tasks] ?? "")",
      suggestion: "start the program in the job script with `srun PROGRAM`; to let Stratagem start the processes, name "
        + "the job interactive")
    let world = reader.integer(Self.tasks, in: VariableReader.positive)
    worldSize = world ?? 1
    globalRank = reader.integer("SLURM_PROCID") ?? 0
    localRank = reader.integer("SLURM_LOCALID") ?? 0
    nodeRank = reader.integer("SLURM_NODEID") ?? 0
    numNodes =
      reader.integer("SLURM_NNODES", in: VariableReader.positive)
      ?? reader.integer("SLURM_JOB_NUM_NODES", in: VariableReader.positive)
    let perNode = reader.integer("SLURM_NTASKS_PER_NODE", in: VariableReader.positive)
    localWorldSize =
      perNode ?? (reader.text("SLURM_STEP_TASKS_PER_NODE") ?? reader.text("SLURM_TASKS_PER_NODE")).flatMap(Self.even)
      ?? (worldSize == 1 ? 1 : nil)
    isStep = reader.text("SLURM_STEP_ID") != nil || reader.text("SLURM_STEPID") != nil

    if let given = reader.text(WorkerVariable.mainAddress) {
      mainAddress = given
    } else {
      let names = ["SLURM_STEP_NODELIST", "SLURM_NODELIST", "SLURM_JOB_NODELIST"]
      let list = names.first { reader.text($0) != nil }
      let host = list.flatMap(reader.text).flatMap(HostList.first)
      if let list, host == nil {
        reader.report(
          list, "\(list) is '\(environment[list] ?? "")', which is not a list of hosts",
          "set MASTER_ADDR to the address of the first node")
      }
      mainAddress = host ?? "127.0.0.1"
    }
    mainPort =
      reader.integer(WorkerVariable.mainPort, in: VariableReader.ports)
      ?? reader.text("SLURM_JOB_ID").flatMap { Int($0.suffix(4)) }.map { 15000 + $0 } ?? 12910
    if let world, globalRank >= world {
      reader.report(
        "SLURM_PROCID", "SLURM_PROCID is \(globalRank), but SLURM_NTASKS is \(world)",
        "start the program in the job script with `srun PROGRAM`")
    }
    try reader.check()
  }

  public var warnings: [String] {
    if isStep || worldSize == 1 || globalRank > 0 { return [] }
    return [
      "SLURM_NTASKS is \(worldSize), but nothing shows that srun started this process; if it waits for the others, "
        + "write `srun PROGRAM` in the job script"
    ]
  }

  public func validate(numDevices: Int, numNodes: Int) throws(ConfigurationError) {
    var wrong: [(name: String, text: String)] = []
    func compare(_ name: String, _ value: Int?, _ expected: Int) {
      if let value, value != expected { wrong.append((name, "\(name) is \(value) and not \(expected)")) }
    }
    compare("SLURM_NTASKS", worldSize, numDevices * numNodes)
    compare("SLURM_NTASKS_PER_NODE", localWorldSize, numDevices)
    compare("SLURM_NNODES", self.numNodes, numNodes)
    if worldSize > 1 && localWorldSize == nil {
      wrong.append(("SLURM_NTASKS_PER_NODE", "SLURM_NTASKS_PER_NODE is not set beside SLURM_NTASKS=\(worldSize)"))
    }
    guard let first = wrong.first else { return }
    var suggestion =
      "write `#SBATCH --nodes=\(numNodes)` and `#SBATCH --ntasks-per-node=\(numDevices)` in the job script, and no "
      + "--ntasks"
    if let perNode = localWorldSize, worldSize.isMultiple(of: perNode) {
      suggestion += "; or write Trainer(devices: \(perNode), numNodes: \(worldSize / perNode))"
    }
    throw ConfigurationError(
      first.name, "\(asked(numDevices, numNodes)), but \(wrong.map(\.text).joined(separator: ", "))",
      suggestion: suggestion)
  }

  /// Returns the number of tasks on each node from `4(x2)`, or `nil` when the nodes differ.
  private static func even(_ text: String) -> Int? {
    let counts = Set(text.split(separator: ",").map { Int($0.prefix(while: \.isNumber)) })
    return counts.count == 1 ? counts.first ?? nil : nil
  }
}

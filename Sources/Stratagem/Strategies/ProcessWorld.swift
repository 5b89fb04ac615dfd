internal import Glibc
internal import TorchDistributed

/// The processes of a program once they exist, and the store by which they find each other.
///
/// Processes are started once a program; every further run of the program meets in a group of its own.
final class ProcessWorld {
  let launcher: Launcher
  let store: Store
  let rank: Int
  let localRank: Int
  let worldSize: Int
  private let address: String?
  private var groups = 0

  nonisolated(unsafe) private static var current: ProcessWorld?

  private init(launcher: Launcher, store: Store, environment: any ClusterEnvironment, address: String?) {
    self.launcher = launcher
    self.store = store
    rank = environment.globalRank
    localRank = environment.localRank
    worldSize = environment.worldSize
    self.address = address
  }

  /// The world of this program, started when it does not exist yet.
  ///
  /// The store is opened before the workers are started and its real port handed on, so that no port has to be agreed.
  static func start(
    _ plan: RunPlan, timeout: Double, outputHandler: (@Sendable (WorkerOutputLine) -> Void)? = nil
  ) throws -> ProcessWorld {
    if let current {
      guard current.worldSize == plan.worldSize else {
        throw LaunchError.differentSize(running: current.worldSize, asked: plan.worldSize)
      }
      if let supervisor = current.launcher.supervisor,
        supervisor.runningRanks.count < supervisor.localWorldSize - 1
      {
        throw LaunchError.workersHaveEnded
      }
      return current
    }
    let variables = ClusterEnvironments.processVariables
    let environment = try ClusterEnvironments.detect(
      variables, numDevices: plan.processesPerNode, numNodes: plan.numNodes)
    try environment.validate(numDevices: plan.processesPerNode, numNodes: plan.numNodes)
    let isOneNode = plan.numNodes == 1
    let isOurs = WorkerProcess.isWorker || !environment.createsProcessesExternally
    var options = SupervisorOptions()
    options.outputHandler = outputHandler
    let launcher: Launcher =
      isOurs
      ? RelaunchLauncher(
        localWorldSize: plan.processesPerNode, numNodes: plan.numNodes, nodeRank: environment.nodeRank,
        options: options)
      : ExternalLauncher()
    let store = try openStore(environment, isLocal: isOneNode && isOurs, variables, timeout: timeout)
    let address = isOneNode && isOurs ? "127.0.0.1" : environment.mainAddress
    try launcher.launch(mainAddress: address, port: store.port)
    let world = ProcessWorld(
      launcher: launcher, store: store, environment: environment, address: isOneNode ? "127.0.0.1" : nil)
    current = world
    return world
  }

  /// Opens the store on rank 0 and joins it elsewhere.
  ///
  /// - Parameter isLocal: all processes are ours and on this machine, so that rank 0 takes any free port, whatever
  ///   address and port another program left in the environment.
  private static func openStore(
    _ environment: any ClusterEnvironment, isLocal: Bool, _ variables: [String: String], timeout: Double
  ) throws -> Store {
    if environment.globalRank == 0 && variables["TORCHELASTIC_USE_AGENT_STORE"] != "True" {
      if isLocal { return try Store.server(timeout: timeout) }
      return try Store.server(host: environment.mainAddress, port: environment.mainPort ?? 0, timeout: timeout)
    }
    guard let port = environment.mainPort else {
      throw LaunchError.invalidLayout(
        "rank \(environment.globalRank) was not told the port of rank 0; set MASTER_PORT")
    }
    return try Store.client(host: environment.mainAddress, port: port, timeout: timeout)
  }

  /// A group of all processes for one run.
  func makeGroup(timeout: Double) throws -> ProcessGroup {
    groups += 1
    return try ProcessGroup.gloo(
      store: try store.prefixed("run/\(groups)"), rank: rank, size: worldSize, timeout: timeout, address: address,
      name: "run\(groups)")
  }
}

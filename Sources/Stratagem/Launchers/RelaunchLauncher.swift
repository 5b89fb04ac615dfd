import CProcess
import Glibc

/// Starts the workers of a node by running the program again, once per process.
///
/// The process that the user started is local rank 0. Local ranks 1 and up run the same executable with the same
/// arguments, working folder and environment, and find their place in the environment variables that torchrun
/// sets too. All start at once. Workers are started once per program: every later trainer of the program finds them
/// in place, because they run the same program.
public final class RelaunchLauncher: Launcher {
  /// The number of processes on each node.
  public let localWorldSize: Int
  /// The number of nodes.
  public let numNodes: Int
  /// The number of this node, `0 ..< numNodes`.
  public let nodeRank: Int
  /// The times and outputs of supervision.
  public let options: SupervisorOptions

  private let environment: [String: String]
  private let ownParent: Int32

  /// Makes a launcher for one node.
  ///
  /// - Parameters:
  ///   - localWorldSize: the processes per node, 1 or more.
  ///   - numNodes: the nodes of the run; on each the same command is started.
  ///   - nodeRank: the number of this node.
  ///   - options: the times and outputs of supervision.
  ///   - environment: the variables of this process, which workers inherit.
  public init(
    localWorldSize: Int, numNodes: Int = 1, nodeRank: Int = 0, options: SupervisorOptions = SupervisorOptions(),
    environment: [String: String] = ClusterEnvironments.processVariables
  ) {
    self.localWorldSize = localWorldSize
    self.numNodes = numNodes
    self.nodeRank = nodeRank
    self.options = options
    self.environment = environment
    ownParent = getppid()
  }

  /// Whether this process is a worker that a Stratagem process started.
  public var isWorker: Bool { WorkerProcess.isWorker(environment, parent: ownParent) }

  /// The place of this process.
  public var identity: WorkerIdentity {
    let local = isWorker ? environment[WorkerVariable.localRank].flatMap { Int($0) } ?? 0 : 0
    return WorkerIdentity(
      localRank: local, nodeRank: nodeRank, localWorldSize: localWorldSize, numNodes: numNodes)
  }

  /// The threads each process should compute with: a fair share of the processors, or `nil` when the user has set
  /// `OMP_NUM_THREADS`.
  public var threadsPerProcess: Int? {
    if environment[WorkerVariable.threadCount] != nil { return nil }
    return max(1, Int(cp_available_processors()) / max(1, localWorldSize))
  }

  public override var isLaunched: Bool {
    isWorker || localWorldSize == 1 || Supervisor.current?.localWorldSize == localWorldSize
  }

  public override var supervisor: Supervisor? { isWorker ? nil : Supervisor.current }

  public override func launch(
    mainAddress: String = "127.0.0.1", port: Int, additionalEnvironment: [String: String] = [:]
  ) throws(LaunchError) {
    try checkLayout()
    if isWorker { return try checkWorker() }
    if let text = environment[WorkerVariable.localRank], let rank = Int(text), rank > 0 {
      throw .foreignLocalRank(rank)
    }
    if let running = Supervisor.current {
      guard running.localWorldSize == localWorldSize else {
        throw .differentSize(running: running.localWorldSize, asked: localWorldSize)
      }
      guard !running.hasFinished else { throw .workersHaveEnded }
      return
    }
    guard localWorldSize > 1 else { return }

    var shared = environment
    shared[WorkerVariable.runID] = RunID.resolve(environment)
    shared[WorkerVariable.supervisor] = String(getpid())
    if let threadsPerProcess { shared[WorkerVariable.threadCount] = String(threadsPerProcess) }
    // A crash should show its source line; registers and colours only hide it among the lines of other ranks.
    if shared[WorkerVariable.backtrace] == nil {
      shared[WorkerVariable.backtrace] = "preset=friendly,interactive=no,color=no"
    }
    shared.merge(additionalEnvironment) { _, added in added }
    let commands = (1..<localWorldSize).map { local in
      let identity = WorkerIdentity(
        localRank: local, nodeRank: nodeRank, localWorldSize: localWorldSize, numNodes: numNodes)
      let variables = shared.merging(identity.variables(mainAddress: mainAddress, mainPort: port)) { $1 }
      return WorkerCommand(identity: identity, program: WorkerProcess.program, variables: variables)
    }
    try Supervisor.startCurrent(commands, localWorldSize: localWorldSize, options: options)
  }

  private func checkLayout() throws(LaunchError) {
    guard localWorldSize >= 1, localWorldSize <= Int(CP_MAXIMUM_WORKERS) else {
      throw .invalidLayout(
        "\(localWorldSize) processes per node make no run: use 1 to \(CP_MAXIMUM_WORKERS)")
    }
    guard numNodes >= 1, (0..<numNodes).contains(nodeRank) else {
      throw .invalidLayout(
        "node rank \(nodeRank) of \(numNodes) node(s) makes no run: node ranks are 0 to \(max(0, numNodes - 1))")
    }
  }

  private func checkWorker() throws(LaunchError) {
    let rank = identity.localRank
    let startedFor = environment[WorkerVariable.worldSize].flatMap { Int($0) } ?? 0
    guard startedFor == localWorldSize * numNodes else {
      throw .workerDisagrees(localRank: rank, startedFor: startedFor, asked: localWorldSize * numNodes)
    }
  }
}

import CProcess
import Glibc
internal import TorchDistributed

/// Starts the workers of a node by running the program again, once per process.
///
/// The process that the user started is local rank 0. Local ranks 1 and up run the same executable with the same
/// arguments, working folder and environment, and find their place in the environment variables that torchrun
/// sets too. All start at once. Workers are started once per program: every later trainer of the program finds them
/// in place, because they run the same program.
open class RelaunchLauncher: ProcessLauncher {
  /// The processes of the run.
  public final let layout: ProcessLayout
  /// The times of supervision.
  public final let options: SupervisorOptions

  private let environment: [String: String]
  private let ownParent: Int32
  private let joinTimeout: Double

  /// Makes a launcher for one node.
  ///
  /// - Parameters:
  ///   - layout: the processes of the run; on each node the same command is started.
  ///   - options: the times of supervision.
  ///   - joinTimeout: seconds that finding the others may take.
  ///   - environment: the variables of this process, which workers inherit.
  public init(
    _ layout: ProcessLayout, options: SupervisorOptions = SupervisorOptions(), joinTimeout: Double = 300,
    environment: [String: String] = ClusterEnvironments.processVariables
  ) {
    self.layout = layout
    self.options = options
    self.joinTimeout = joinTimeout
    self.environment = environment
    ownParent = getppid()
  }

  /// Whether this process is a worker that a Stratagem process started.
  public final var isWorker: Bool { WorkerProcess.isWorker(environment, parent: ownParent) }

  /// The place of this process.
  public final var identity: WorkerIdentity {
    layout.identity(localRank: isWorker ? environment[WorkerVariable.localRank].flatMap { Int($0) } ?? 0 : 0)
  }

  /// The threads each process should compute with: a fair share of the processors, or `nil` when the user has set
  /// `OMP_NUM_THREADS`.
  public final var threadsPerProcess: Int? {
    environment[WorkerVariable.threadCount] == nil ? layout.threadsPerProcess : nil
  }

  /// Whether all processes of the run have been started.
  public final var isLaunched: Bool {
    isWorker || layout.processesPerNode == 1 || Supervisor.current?.localWorldSize == layout.processesPerNode
  }

  open override var supervisor: Supervisor? { isWorker ? nil : Supervisor.current }

  /// Starts the workers unless they run already, then runs the call as rank 0; a worker runs it as the rank it is.
  open override func launch<Output>(_ call: LaunchedCall<Output>) throws -> Output {
    try call.prepare()
    let hasStarted = ProcessWorld.hasStanding
    // The store is opened before the workers are started and its real port handed on, so that no port has to be agreed.
    world = try ProcessWorld.standing(worldSize: layout.worldSize) {
      let place = try layout.place()
      let isOneNode = layout.numNodes == 1
      let store = try ProcessWorld.openStore(place, isLocal: isOneNode, timeout: joinTimeout)
      let host = isOneNode ? "127.0.0.1" : place.mainAddress
      try startWorkers(mainAddress: host, port: store.port)
      return ProcessWorld(
        store: store, host: host, identity: layout.identity(of: place), address: isOneNode ? "127.0.0.1" : nil)
    }
    if hasStarted, let supervisor, supervisor.runningRanks.count < supervisor.localWorldSize - 1 {
      throw LaunchError.workersHaveEnded
    }
    return try call.run()
  }

  /// Makes the processes of this node exist; in a worker it only checks that the worker is the one it was started to be.
  ///
  /// - Parameters:
  ///   - mainAddress: the address under which workers reach the store of rank 0.
  ///   - port: the port on which that store listens already.
  ///   - additionalEnvironment: variables for the workers, such as decisions that only one process may take.
  /// - Throws: `LaunchError`.
  public final func startWorkers(
    mainAddress: String = "127.0.0.1", port: Int, additionalEnvironment: [String: String] = [:]
  ) throws(LaunchError) {
    try layout.check()
    if isWorker { return try checkWorker() }
    if let text = environment[WorkerVariable.localRank], let rank = Int(text), rank > 0 {
      throw .foreignLocalRank(rank)
    }
    if let running = Supervisor.current {
      guard running.localWorldSize == layout.processesPerNode else {
        throw .differentSize(running: running.localWorldSize, asked: layout.processesPerNode)
      }
      guard !running.hasFinished else { throw .workersHaveEnded }
      return
    }
    guard layout.processesPerNode > 1 else { return }
    let shared = WorkerCommand.variables(for: layout, from: environment).merging(additionalEnvironment) { $1 }
    let commands = (1..<layout.processesPerNode).map { local in
      let identity = layout.identity(localRank: local)
      let variables = shared.merging(identity.variables(mainAddress: mainAddress, mainPort: port)) { $1 }
      return WorkerCommand(identity: identity, program: WorkerProcess.program, variables: variables)
    }
    var options = options
    options.outputHandler = options.outputHandler ?? outputHandler
    try Supervisor.startCurrent(commands, localWorldSize: layout.processesPerNode, options: options)
  }

  private func checkWorker() throws(LaunchError) {
    let startedFor = environment[WorkerVariable.worldSize].flatMap { Int($0) } ?? 0
    guard startedFor == layout.worldSize else {
      throw .workerDisagrees(localRank: identity.localRank, startedFor: startedFor, asked: layout.worldSize)
    }
  }
}

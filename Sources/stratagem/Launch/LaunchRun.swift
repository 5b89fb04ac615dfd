internal import Glibc
internal import Stratagem
internal import TorchDistributed

/// Starts the processes of this machine, watches over them, and starts them again after a failure.
final class LaunchRun {
  /// How an attempt ended.
  enum End {
    case succeeded
    /// With the status to end with and the reason.
    case failed(Int, String)
    case interrupted(Int)
  }

  /// Seconds that processes have to end after a signal.
  private static let graceTime = 30.0
  /// Seconds by which the others get a signal later than the lowest rank, which saves what is to be saved.
  private static let headStart = 0.3

  private let plan: LaunchPlan
  private let output: LaunchOutput
  private var nodes: NodeMeeting?
  private var runID: String

  init(_ plan: LaunchPlan) throws {
    self.plan = plan
    output = try LaunchOutput(plan)
    runID = plan.runID ?? RunID.resolve(ClusterEnvironments.processVariables)
  }

  /// Runs the program to its end and returns the exit status: 0, that of the process that failed first, or 128 and the
  /// number of a signal.
  func run() throws -> Int {
    if plan.nodes > 1 {
      let meeting = try NodeMeeting(plan)
      runID = try meeting.join(processes: plan.processes, runID: runID)
      nodes = meeting
    }
    var attempt = 0
    while true {
      let end = try run(attempt)
      switch end {
      case .succeeded:
        nodes?.leave()
        try output.check()
        return 0
      case .interrupted(let signal):
        nodes?.leave()
        return 128 + signal
      case .failed(let status, let reason):
        say(reason)
        guard attempt < plan.maxRestarts else {
          nodes?.leave()
          return status
        }
        attempt += 1
        say("starting all processes again, restart \(attempt) of \(plan.maxRestarts)")
      }
    }
  }

  private func run(_ attempt: Int) throws -> End {
    // Kept open as long as the processes run.
    var store: Store?
    var port = 0
    if plan.nodeRank == 0 {
      let opened = try openStore()
      store = opened
      port = opened.port
    }
    port = try nodes?.share(port: port, attempt) ?? port
    // There before the processes are: each tells it its group before anything else can be started in that group.
    let groups = GroupGuard()
    defer { groups?.dismiss() }
    var end = try withExtendedLifetime(store) {
      try watch(start(attempt, port: port, groups), attempt)
    }
    if let nodes { end = try nodes.agree(on: end, attempt) }
    return end
  }

  private func openStore() throws -> Store {
    let isMeeting = plan.nodes > 1
    do {
      // With a meeting of machines its port is the one that was agreed on; this one is told to all.
      return try Store.server(host: plan.address, port: isMeeting ? 0 : plan.port ?? 0)
    } catch {
      throw ConfigurationError(
        "--master-port", "no store can be opened at \(plan.address):\(plan.port ?? 0): \(error.message)",
        suggestion: isMeeting ? nil : "leave out --master-port to take any free port")
    }
  }

  private func start(_ attempt: Int, port: Int, _ groups: GroupGuard?) throws -> Supervisor {
    let shared = variables(attempt)
    let commands = plan.identities.map { identity in
      var variables = shared.merging(identity.variables(mainAddress: plan.address, mainPort: port)) { $1 }
      variables["GROUP_RANK"] = "\(identity.nodeRank)"
      variables["ROLE_RANK"] = "\(identity.globalRank)"
      variables["ROLE_WORLD_SIZE"] = "\(identity.worldSize)"
      return ProgramCommand(
        identity: identity, program: plan.program, arguments: plan.arguments, variables: variables)
    }
    return try Supervisor.starting(commands, announcement: groups?.descriptor, outputHandler: output.handler)
  }

  /// What all processes of this machine find in their environment.
  private func variables(_ attempt: Int) -> [String: String] {
    var variables = ClusterEnvironments.processVariables
    variables["GROUP_WORLD_SIZE"] = "\(plan.nodes)"
    variables["ROLE_NAME"] = "default"
    variables["STRATAGEM_RUN_ID"] = runID
    variables["STRATAGEM_LAUNCHER"] = "\(getpid())"
    variables["TORCHELASTIC_RUN_ID"] = runID
    variables["TORCHELASTIC_RESTART_COUNT"] = "\(attempt)"
    variables["TORCHELASTIC_MAX_RESTARTS"] = "\(plan.maxRestarts)"
    // The launcher keeps the store, so that its port is taken before any process is told.
    variables["TORCHELASTIC_USE_AGENT_STORE"] = "True"
    if variables["OMP_NUM_THREADS"] == nil {
      variables["OMP_NUM_THREADS"] = "\(max(1, HardwareInventory.detect().cpuCount / plan.processes))"
    }
    if variables["SWIFT_BACKTRACE"] == nil {
      variables["SWIFT_BACKTRACE"] = "preset=friendly,interactive=no,color=no"
    }
    return variables
  }

  /// Waits until all processes have ended.
  private func watch(_ supervisor: Supervisor, _ attempt: Int) throws -> End {
    var signal: Int?
    var isToldToOthers = false
    var signalTime = ContinuousClock.now
    var isOver = false
    while !supervisor.waitForEnd(seconds: 0.05) {
      if let signal {
        let waited = (ContinuousClock.now - signalTime) / .seconds(1)
        if !isToldToOthers, waited > Self.headStart {
          isToldToOthers = true
          supervisor.interruptOthers(signal)
        }
        if waited > Self.graceTime, !isOver {
          say("the processes did not end within \(Int(Self.graceTime)) s and are killed")
          isOver = true
          supervisor.abort()
        }
      } else if let number = InterruptMonitor.shared.signal {
        signal = number
        signalTime = .now
        supervisor.interruptFirst(number)
      }
      guard let nodes, !isOver else { continue }
      do {
        guard try nodes.hasFailed(attempt) else { continue }
        isOver = true
        supervisor.abort()
      } catch {
        supervisor.abort()
        throw error
      }
    }
    if let signal { return .interrupted(signal) }
    guard let failure = supervisor.failure else { return .succeeded }
    return .failed(failure.exitStatus, "\(failure)")
  }

  private func say(_ text: String) {
    let bytes = Array("stratagem: \(text)\n".utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
  }
}

import Glibc
internal import Torch
internal import TorchDistributed

/// A launcher that runs each call in processes of its own, while the process that the user started is no rank: it waits,
/// takes over the state of rank 0, and goes on with the program. ``SpawnLauncher`` and ``ForkLauncher`` differ in how
/// they make the processes.
open class CallLauncher: ProcessLauncher {
  /// The processes of the run.
  public final let layout: ProcessLayout
  private let options: SupervisorOptions
  private let joinTimeout: Double
  private let maker: any WorkerMaker
  /// Keeps the state of the call that this process runs, when it was interrupted.
  private var keep: ((any Error) -> Void)?

  init(_ layout: ProcessLayout, options: SupervisorOptions, joinTimeout: Double, maker: any WorkerMaker) {
    self.layout = layout
    self.options = options
    self.joinTimeout = joinTimeout
    self.maker = maker
  }

  open override var hasTrainingElsewhere: Bool { world == nil }

  open override func launch<Output>(_ call: LaunchedCall<Output>) throws -> Output {
    let number = CallFolder.nextNumber()
    if WorkerProcess.isWorker {
      if let task = CallTask.own, task.number == number { run(call, task) }
      return try replay(call, number)
    }
    try layout.check()
    guard Supervisor.current == nil else { throw LaunchError.standingWorkers(call: call.name) }
    try maker.check()
    let file = CallFolder.file(of: number, in: try CallFolder.make())
    do {
      let outcome = try InterruptMonitor.shared.watching(startsThread: false) {
        try supervise(call, number, file)
      }
      CallFolder.lastFailure = nil
      return try take(outcome, of: call)
    } catch let failure as WorkerFailure {
      // Processes of later calls come by here, and go the way of this one.
      try? CallOutcome.failed(failure).write(call: call.name, to: file)
      CallFolder.lastFailure = failure
      throw failure
    }
  }

  // MARK: The main process

  /// Starts the processes, waits for them and returns how the call ended.
  private func supervise<Output>(
    _ call: LaunchedCall<Output>, _ number: Int, _ file: String
  ) throws -> CallOutcome {
    let place = try layout.place()
    let isOneNode = layout.numNodes == 1
    let address = isOneNode ? "127.0.0.1" : place.mainAddress
    // Each call has a store of its own; the port that several nodes agree on is the first of a row.
    let reservation = isOneNode ? try StoreReservation() : nil
    let port = reservation?.port ?? (place.mainPort ?? 0) + number - 1
    let tasks = (0..<layout.processesPerNode).map { local in
      CallTask(
        number: number, call: call.name, identity: layout.identity(localRank: local), address: address, port: port)
    }
    var options = options
    options.outputHandler = options.outputHandler ?? outputHandler
    switch try maker.make(tasks, options: options, reservation: reservation) {
    case .inWorker(let task): run(call, task)
    case .inMain(let supervisor):
      let store: Store?
      do {
        store =
          layout.nodeRank > 0
          ? nil
          : try reservation?.open(timeout: joinTimeout)
            ?? Store.server(host: address, port: port, timeout: joinTimeout)
      } catch {
        supervisor.abort()
        throw error
      }
      defer { withExtendedLifetime(store) {} }
      return try wait(for: supervisor, file)
    }
  }

  private func wait(for supervisor: Supervisor, _ file: String) throws -> CallOutcome {
    do {
      try supervisor.waitForCall { InterruptMonitor.shared.signal }
    } catch {
      guard let signal = InterruptMonitor.shared.signal else { throw error }
      if Folder.exists(file) { return try CallOutcome.read(file).outcome }
      throw TrainingError.interrupted(signal: signal, checkpoint: nil)
    }
    return try CallOutcome.read(file).outcome
  }

  private func take<Output>(_ outcome: CallOutcome, of call: LaunchedCall<Output>) throws -> Output {
    switch outcome {
    case .completed(let state): return try call.adopt(state)
    case .failed(let failure): throw failure
    case .interrupted(let signal, let checkpoint, let state):
      _ = try call.adopt(state)
      throw TrainingError.interrupted(signal: signal, checkpoint: checkpoint)
    }
  }

  // MARK: A worker

  /// Does as if a call that is over ran here: the program came to its end before.
  private func replay<Output>(_ call: LaunchedCall<Output>, _ number: Int) throws -> Output {
    guard let folder = CallFolder.path, Folder.exists(CallFolder.file(of: number, in: folder)) else {
      throw CallTask.own == nil
        ? LaunchError.standingWorkers(call: call.name) : LaunchError.otherCall(number, nil, call.name)
    }
    let (outcome, name) = try CallOutcome.read(CallFolder.file(of: number, in: folder))
    guard name == call.name else { throw LaunchError.otherCall(number, name, call.name) }
    return try take(outcome, of: call)
  }

  /// Runs the call that this process was started for, hands its state back and ends.
  private func run<Output>(_ call: LaunchedCall<Output>, _ task: CallTask) -> Never {
    maker.begin(task)
    task.publishVariables()
    let file = CallFolder.path.map { CallFolder.file(of: task.number, in: $0) } ?? ""
    do {
      guard task.call == call.name else { throw LaunchError.otherCall(task.number, task.call, call.name) }
      let store = try Store.client(host: task.address, port: task.port, timeout: joinTimeout)
      world = ProcessWorld(
        store: store, host: task.address, identity: task.identity,
        address: layout.numNodes == 1 ? "127.0.0.1" : nil)
      keep = { error in
        guard case TrainingError.interrupted(let signal, let checkpoint) = error else { return }
        guard task.identity.localRank == 0 else {
          // The first report ends all processes; that of this one must not come before rank 0 has kept the state.
          var patience = Patience(30)
          while !Folder.exists(file), !patience.isOver() { usleep(1000) }
          return
        }
        guard let state = try? call.state() else { return }
        let outcome = CallOutcome.interrupted(signal: signal, checkpoint: checkpoint, state: state)
        try? outcome.write(call: call.name, to: file)
      }
      call.becomeWorkersCall()
      _ = try call.run()
      // On each node, so that its main process goes on like the others.
      if task.identity.localRank == 0 {
        try CallOutcome.completed(call.state()).write(call: call.name, to: file)
      }
      WorkerReport(rank: task.identity.globalRank, kind: .completed, message: "").send()
    } catch {
      leave(with: error)
    }
    fflush(nil)
    _exit(0)
  }

  /// A run that was interrupted hands back its state, too.
  open override func leave(with error: any Error) {
    keep?(error)
    super.leave(with: error)
  }
}

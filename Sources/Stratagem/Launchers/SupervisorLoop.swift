import CProcess
import Glibc
import Synchronization

/// The work of the supervisor's thread: it starts the workers, sees them end, and decides what a failure was.
final class SupervisorLoop {
  private enum Phase {
    case running
    case collecting
    case decided
    case aborted
  }

  /// How long the output of a worker that has ended is waited for, which its reader may hold up, in seconds.
  private static let outputTime = 2.0

  private let supervisor: Supervisor
  private let commands: [WorkerCommand]
  private var workers: [SupervisedWorker]
  private var relay: OutputRelay?
  private let news = NewsQueue()
  private var phase = Phase.running
  /// What is left of the phase, when that has an end.
  private var patience = Patience(0)
  /// The sign of failure that the present patience is for.
  private var strongest: SupervisedWorker.Evidence.Weight?
  private var outputPatience: Patience?

  /// - Parameters:
  ///   - commands: what is to be started.
  ///   - workers: what runs already.
  init(_ supervisor: Supervisor, _ commands: [WorkerCommand], _ workers: sending [SupervisedWorker] = []) {
    self.supervisor = supervisor
    self.commands = commands
    self.workers = workers
  }

  func run() {
    do {
      try startWorkers()
    } catch {
      supervisor.state.withLock { $0.startError = error }
      kill()
      for worker in workers { worker.waitForEnd() }
      supervisor.finished.signal()
      supervisor.started.signal()
      return
    }
    supervisor.started.signal()

    while workers.contains(where: { $0.isRunning }) {
      waitForNews()
      if let signal = supervisor.state.withLock({ $0.signal.take() }) { workers.first?.send(signal) }
      if let signal = supervisor.state.withLock({ $0.signalToOthers.take() }) {
        for worker in workers.dropFirst() { worker.send(signal) }
      }
      // In the order in which things happened, however late this is: the first failure is the cause.
      for index in news.take() { workers[index].look() }
      for worker in workers where worker.needsPolling { worker.look() }
      publish()
      advance()
    }
    // All have ended; what remains is the verdict, the rest of their output, and rank 0's reaction.
    while case .collecting = phase {
      waitForNews()
      advance()
    }
    printRest()
    supervisor.finished.signal()
    while case .decided = phase, !isSettled {
      waitForNews()
      advance()
    }
  }

  /// Waits until all output is printed: after a success as long as its reader takes, as any program would.
  private func printRest() {
    guard let relay else { return }
    relay.stop()
    guard case .running = phase else {
      relay.finished.wait(patience: Self.outputTime)
      return
    }
    while !relay.finished.wait(seconds: Patience.longestStep), !supervisor.state.withLock({ $0.isAborted }) {}
  }

  private func startWorkers() throws(LaunchError) {
    let announcement = supervisor.options.announcement
    for (index, worker) in workers.enumerated() { worker.tell(news, as: index) }
    for command in commands {
      let running = try command.start(announcement: announcement)
      let worker = SupervisedWorker(rank: command.identity.globalRank, running)
      worker.tell(news, as: workers.count)
      workers.append(worker)
    }
    let sources = workers.flatMap { worker in
      [
        OutputRelay.Source(rank: worker.rank, stream: .output, descriptor: worker.output),
        OutputRelay.Source(rank: worker.rank, stream: .error, descriptor: worker.errors),
      ]
    }
    let wake = supervisor.wake
    let options = supervisor.options
    let relay = OutputRelay(
      sources: sources, beginning: options.beginningOfOutput, handler: options.outputHandler
    ) { wake.signal() }
    self.relay = relay
    guard relay.start() == 0 else {
      throw .cannotStart(localRank: 1, program: commands.first?.program ?? "", reason: "no thread to read its output")
    }
    publish()
  }

  /// Sleeps until a worker ends or reports, something is asked of us, or the phase is over.
  private func waitForNews() {
    var entries = [supervisor.wake.descriptor, news.descriptor].map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
    var timeout: Int32 = -1
    switch phase {
    case .collecting, .decided: timeout = patience.milliseconds
    case .running, .aborted: break
    }
    if workers.contains(where: { $0.needsPolling }) { timeout = timeout < 0 ? 10 : min(timeout, 10) }
    poll(&entries, nfds_t(entries.count), timeout)
    supervisor.wake.reset()
  }

  private func publish() {
    let running = workers.filter { $0.isRunning }
    let early = workers.filter { $0.exit == .exited(0) && $0.report == nil && !$0.isCompleted }.map { $0.rank }
    supervisor.state.withLock { state in
      state.runningRanks = running.map { $0.rank }
      state.endedEarly = early
    }
  }

  private func advance() {
    if supervisor.state.withLock({ $0.isAborted }) {
      switch phase {
      case .running, .collecting:
        phase = .aborted
        kill()
        supervisor.state.withLock { $0.isCollecting = false }
      case .decided, .aborted: break
      }
    }
    switch phase {
    case .running where supervisor.state.withLock({ $0.isStopping }): break
    case .running:
      if supervisor.state.withLock({ $0.isRunActive }) { for worker in workers { worker.noteDesertion() } }
      guard workers.contains(where: { $0.evidence != nil }) else { return }
      supervisor.state.withLock { $0.isCollecting = true }
      phase = .collecting
      decideIfReady()
    case .collecting:
      decideIfReady()
    case .decided:
      if patience.isOver(), !isSettled { endProcess() }
    case .aborted: break
    }
  }

  /// Decides when the time is over or nothing that may still arrive could change the verdict.
  private func decideIfReady() {
    let candidates = workers.filter { $0.evidence != nil }
    guard let root = candidates.min(by: { $0.evidence! < $1.evidence! }), let evidence = root.evidence else { return }
    if strongest.map({ evidence.weight < $0 }) ?? true {
      strongest = evidence.weight
      let options = supervisor.options
      patience = Patience(evidence.weight == .unexplained ? options.collectionWindow : options.endingTime)
    }
    let timeIsOver = patience.isOver()
    let isCertain = evidence.weight == .cause || !workers.contains { $0.isRunning }
    guard timeIsOver || (isCertain && !root.isRunning) else { return }
    guard root.isRunning || hasPrinted(root) else { return }
    kill()
    supervisor.decide(root.failure(recentErrorLines: relay?.recentErrorLines(of: root.rank) ?? []))
    phase = .decided
    patience = Patience(supervisor.options.reactionTime)
  }

  /// Whether everything that a worker printed has been read, which is part of the verdict, or cannot be waited for.
  private func hasPrinted(_ root: SupervisedWorker) -> Bool {
    guard let relay, !relay.hasEnded(root.rank) else { return true }
    if outputPatience == nil { outputPatience = Patience(Self.outputTime) }
    return outputPatience?.isOver() ?? true
  }

  private var isSettled: Bool { supervisor.state.withLock { $0.isAcknowledged || $0.rankZeroIsAttending } }

  /// Ends this process for the failure, because rank 0 is stuck.
  private func endProcess() {
    relay?.stop()
    relay?.finished.wait(patience: Self.outputTime)
    guard let failure = supervisor.state.withLock({ $0.failure }) else { return }
    supervisor.say(failure.description)
    cp_end_now(Int32(failure.exitStatus))
  }

  private func kill() {
    for worker in workers where worker.isRunning { cp_kill_group(worker.pid) }
  }
}

import CProcess
import Glibc
import Synchronization

/// The work of the supervisor's thread: it starts the workers, sees them end, and decides what a failure was.
final class SupervisorLoop {
  private enum Phase {
    case running
    case collecting(until: Deadline)
    case decided(reactionBy: Deadline)
    case aborted
  }

  private let supervisor: Supervisor
  private let commands: [WorkerCommand]
  private var workers: [SupervisedWorker]
  private var relay: OutputRelay?
  private var phase = Phase.running

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
      for worker in workers { worker.look() }
      publish()
      advance()
    }
    // All have ended; what remains is the verdict, the rest of their output, and rank 0's reaction.
    while case .collecting = phase {
      waitForNews()
      advance()
    }
    relay?.stop()
    relay?.finished.wait(seconds: 1)
    supervisor.finished.signal()
    while case .decided = phase, !isSettled {
      waitForNews()
      advance()
    }
  }

  private func startWorkers() throws(LaunchError) {
    let announcement = supervisor.options.announcement
    for command in commands {
      let running = try command.start(announcement: announcement)
      workers.append(SupervisedWorker(rank: command.identity.globalRank, running))
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
    var entries = [pollfd(fd: supervisor.wake.descriptor, events: Int16(POLLIN), revents: 0)]
    for worker in workers { entries.append(contentsOf: worker.pollEntries) }
    var timeout: Int32 = -1
    switch phase {
    case .collecting(let deadline), .decided(let deadline): timeout = deadline.milliseconds
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
      case .decided, .aborted: break
      }
    }
    switch phase {
    case .running where supervisor.state.withLock({ $0.isStopping }): break
    case .running:
      if supervisor.state.withLock({ $0.isRunActive }) { for worker in workers { worker.noteDesertion() } }
      guard let strongest = workers.compactMap(\.evidence).min() else { return }
      supervisor.state.withLock { $0.isCollecting = true }
      let options = supervisor.options
      let window = strongest.weight == .cause ? options.endingTime : options.collectionWindow
      phase = .collecting(until: Deadline(after: window))
      decideIfReady(deadlineHasPassed: false)
    case .collecting(let deadline):
      decideIfReady(deadlineHasPassed: deadline.hasPassed)
    case .decided(let deadline):
      if deadline.hasPassed, !isSettled { endProcess() }
    case .aborted: break
    }
  }

  /// Decides when the time is over or nothing that may still arrive could change the verdict.
  private func decideIfReady(deadlineHasPassed: Bool) {
    let candidates = workers.filter { $0.evidence != nil }
    guard let root = candidates.min(by: { $0.evidence! < $1.evidence! }), let evidence = root.evidence else { return }
    let isComplete = !root.isRunning && (relay?.hasEnded(root.rank) ?? true)
    let isCertain = evidence.weight == .cause || !workers.contains { $0.isRunning }
    guard deadlineHasPassed || (isCertain && isComplete) else { return }
    kill()
    supervisor.decide(root.failure(recentErrorLines: relay?.recentErrorLines(of: root.rank) ?? []))
    phase = .decided(reactionBy: Deadline(after: supervisor.options.reactionTime))
  }

  private var isSettled: Bool { supervisor.state.withLock { $0.isAcknowledged || $0.rankZeroIsAttending } }

  /// Ends this process for the failure, because rank 0 is stuck.
  private func endProcess() {
    relay?.stop()
    relay?.finished.wait(seconds: 0.1)
    guard let failure = supervisor.state.withLock({ $0.failure }) else { return }
    supervisor.say(failure.description)
    cp_end_now(Int32(failure.exitStatus))
  }

  private func kill() {
    for worker in workers where worker.isRunning { cp_kill_group(worker.pid) }
  }
}

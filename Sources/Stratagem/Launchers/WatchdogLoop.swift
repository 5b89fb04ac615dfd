import Synchronization
internal import TorchDistributed

/// The work of a watchdog's thread.
final class WatchdogLoop {
  private let watchdog: StallWatchdog
  private let details: StallWatchdog.Run
  private let own: Int
  /// The last question that was answered.
  private var answered = 0
  /// When the answers to it can be read.
  private var collection: (question: Int, at: Deadline)?
  /// The collective that this rank asked about, and after how many notice times it asks again.
  private var asked = (collective: 0, patience: 1.0)

  /// The lines of the last report.
  private var earlier: [String] = []

  init(_ watchdog: StallWatchdog) {
    self.watchdog = watchdog
    details = watchdog.run
    own = watchdog.run.identity.globalRank
  }

  func run() {
    do {
      let store = try Store.client(host: details.host, port: details.port, timeout: 30)
      let notes = try store.prefixed("watch/\(details.number)")
      try notes.set("process/\(own)", RankProcess.own.text)
      while !watchdog.isStopping {
        watchdog.wake.wait(seconds: min(watchdog.interval, collection?.at.seconds ?? .infinity))
        watchdog.wake.reset()
        if !watchdog.isStopping { try look(at: notes) }
      }
    } catch {
      // The store is gone, and with it the run; whoever asks for a report learns that there is none.
    }
  }

  private func look(at notes: Store) throws(DistributedError) {
    try findProcesses(notes)
    let snapshot = watchdog.activity.snapshot()
    let wantsReport = watchdog.state.withLock { $0.wantsReport }
    if snapshot.number != asked.collective { asked = (snapshot.number, 1) }
    if collection == nil, wantsReport {
      try askAtEnd(snapshot.number, notes)
    } else if collection == nil, snapshot.waited > details.notice * asked.patience {
      // All that wait in the same collective ask one question.
      if try notes.add("asked/\(snapshot.number)/\(asked.patience)", 1) == 1 { try notes.add("question", 1) }
      asked.patience *= 2
    }
    let question = try notes.add("question", 0)
    if question > answered {
      try notes.set("answer/\(question)/\(own)", "\(snapshot.number) \(snapshot.kind.rawValue) \(snapshot)")
      answered = question
      collection = (question, Deadline(after: 2.5 * watchdog.interval + 0.05))
    }
    guard let collection, collection.at.hasPassed else { return }
    self.collection = nil
    try collect(collection.question, notes, wantsReport)
  }

  /// Asks for the last time, unless another rank that came to the time limit has done so.
  private func askAtEnd(_ collective: Int, _ notes: Store) throws(DistributedError) {
    if try notes.add("asked/\(collective)/end", 1) == 1 {
      // The answers go into the error and need not be printed.
      try notes.add("printed/\(try notes.add("question", 1))", 1)
    } else if answered > 0, watchdog.state.withLock({ $0.report != nil }) {
      watchdog.reported.signal()
    }
  }

  private func findProcesses(_ notes: Store) throws(DistributedError) {
    let known = watchdog.state.withLock { $0.processes }
    for rank in 0..<details.identity.worldSize where known[rank] == nil {
      guard try notes.contains("process/\(rank)") else { continue }
      let process = RankProcess(String(decoding: try notes.get("process/\(rank)"), as: UTF8.self))
      watchdog.state.withLock { $0.processes[rank] = process }
    }
  }

  /// Reads the answers of all ranks; one rank prints them.
  private func collect(_ question: Int, _ notes: Store, _ wantsReport: Bool) throws(DistributedError) {
    let processes = watchdog.state.withLock { $0.processes }
    var lines: [String] = []
    var collectives = Set<String>()
    for rank in 0..<details.identity.worldSize {
      var answer: String?
      if try notes.contains("answer/\(question)/\(rank)") {
        let text = String(decoding: try notes.get("answer/\(question)/\(rank)"), as: UTF8.self)
        let parts = text.split(separator: " ", maxSplits: 2).map(String.init)
        if parts.count == 3 {
          collectives.insert(parts[0] + " " + parts[1])
          answer = parts[2]
        }
      }
      if answer == nil { collectives.insert("rank \(rank)") }
      lines.append(RankAnswer.line(rank, answer, processes[rank]))
      // At the end others may have been ended for the stall; what they did before is what counts.
      if wantsReport, answer == nil, processes[rank]?.hasEnded == true, rank < earlier.count {
        lines[rank] = earlier[rank]
      }
    }
    earlier = lines
    let report = lines.joined(separator: "\n")
    watchdog.state.withLock { $0.report = report }
    if wantsReport { return watchdog.reported.signal() }
    // Ranks that all are in the same collective do not wait for each other: they work, or the network is slow.
    guard collectives.count > 1 else { return }
    let patience = (1 + 0.25 * Double(min(own, 20))) * watchdog.interval
    if own > 0, watchdog.wake.wait(seconds: patience), watchdog.isStopping { return }
    guard try notes.add("printed/\(question)", 1) == 1 else { return }
    WorkerMessage.print(
      "a rank has waited for the others for more than \(details.notice.formatted) s; the run ends when it has waited "
        + "\(details.timeout.formatted) s\n\(report)")
  }
}

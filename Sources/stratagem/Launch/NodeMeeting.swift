internal import Glibc
internal import Stratagem
internal import TorchDistributed

/// The launchers of several machines: they find each other, and none goes on without the others.
///
/// Each attempt to run the program has keys of its own, so that nothing of a failed one is found by the next.
final class NodeMeeting {
  /// Seconds that the launchers of other machines may take to appear.
  private static let joinTimeout = 600.0
  /// Seconds that they may take to notice the end of an attempt.
  private static let endTimeout = 60.0

  private let plan: LaunchPlan
  private let store: Store
  private var isInterrupted = false

  init(_ plan: LaunchPlan) throws {
    self.plan = plan
    let (host, port) = (plan.address, plan.port ?? 0)
    do {
      store =
        plan.nodeRank == 0
        ? try Store.server(host: host, port: port) : try Store.client(host: host, port: port, timeout: Self.joinTimeout)
    } catch {
      let what =
        plan.nodeRank == 0
        ? "machine 0 cannot listen at \(host):\(port)" : "machine 0 does not answer at \(host):\(port)"
      throw ConfigurationError(
        "--master-port", "\(what): \(error.message)",
        suggestion: plan.nodeRank == 0
          ? "give a free --master-port, and the address of this machine as --master-addr"
          : "start the same command on machine 0 with --node-rank 0, and see that the port is reachable")
    }
  }

  /// Waits until all machines are there.
  ///
  /// - Returns: the name of the run, which is that of machine 0.
  /// - Throws: `ConfigurationError` when two have the same number, or start different numbers of processes.
  func join(processes: Int, runID: String) throws -> String {
    let own = plan.nodeRank
    if try store.add("taken/\(own)", 1) > 1 {
      throw ConfigurationError(
        "--node-rank", "another machine has --node-rank \(own) already", suggestion: "give each a number of its own")
    }
    if own == 0 { try store.set("run", runID) }
    try store.set("processes/\(own)", "\(processes)")
    for node in 0..<plan.nodes {
      try waitFor("processes/\(node)", Self.joinTimeout) { "machine \(node) did not join" }
      let theirs = try text("processes/\(node)")
      guard theirs == "\(processes)" else {
        throw ConfigurationError(
          "--nproc-per-node", "machine \(node) starts \(theirs) processes and this one \(processes)",
          suggestion: "give the same --nproc-per-node on all machines")
      }
    }
    return try text("run")
  }

  /// Tells the others the port of the store of an attempt, or is told.
  func share(port: Int, _ attempt: Int) throws -> Int {
    let key = "attempt/\(attempt)/port"
    if plan.nodeRank == 0 { try store.set(key, "\(port)") }
    try waitFor(key, Self.endTimeout) { "machine 0 did not start its processes" }
    return Int(try text(key)) ?? 0
  }

  /// Whether a process of any machine has failed.
  func hasFailed(_ attempt: Int) throws -> Bool {
    do { return try store.contains("attempt/\(attempt)/failed") } catch { throw lost(error) }
  }

  /// Waits until the attempt has ended on all machines.
  ///
  /// - Parameter end: how it ended on this one.
  /// - Returns: the failure of any, or success.
  func agree(on end: LaunchRun.End, _ attempt: Int) throws -> LaunchRun.End {
    let prefix = "attempt/\(attempt)"
    switch end {
    case .succeeded: break
    case .failed(let status, let reason): try tellFailure(prefix, status, "machine \(plan.nodeRank): \(reason)")
    case .interrupted(let signal):
      isInterrupted = true
      try tellFailure(prefix, 128 + signal, "machine \(plan.nodeRank) was interrupted")
      try store.add("\(prefix)/ended", 1)
      return end
    }
    try store.add("\(prefix)/ended", 1)
    var deadline: ContinuousClock.Instant?
    while try store.add("\(prefix)/ended", 0) < plan.nodes {
      if InterruptMonitor.shared.signal != nil { break }
      let hasFailed = try hasFailed(attempt)
      if hasFailed, deadline == nil { deadline = .now + .seconds(Self.endTimeout) }
      if let deadline, ContinuousClock.now > deadline { break }
      usleep(20_000)
    }
    guard try hasFailed(attempt) else { return .succeeded }
    let parts = try text("\(prefix)/failed").split(separator: " ", maxSplits: 1)
    return .failed(Int(parts[0]) ?? 1, parts.count > 1 ? String(parts[1]) : "a machine failed")
  }

  /// Ends the meeting, in which all is said; machine 0 stays until the others have read what they need, which they do at
  /// once unless they are stopped or gone.
  func leave() {
    // After an interruption the others may start again, and then do not leave.
    let seconds = isInterrupted ? 5 : Self.endTimeout
    guard let left = try? store.add("left", 1), left < plan.nodes, plan.nodeRank == 0 else { return }
    let deadline = ContinuousClock.now + .seconds(seconds)
    while let left = try? store.add("left", 0), left < plan.nodes, ContinuousClock.now < deadline { usleep(10_000) }
  }

  /// The first failure counts.
  private func tellFailure(_ prefix: String, _ status: Int, _ reason: String) throws {
    if try store.add("\(prefix)/failures", 1) == 1 { try store.set("\(prefix)/failed", "\(status) \(reason)") }
  }

  private func text(_ key: String) throws -> String {
    do { return String(decoding: try store.get(key), as: UTF8.self) } catch { throw lost(error) }
  }

  /// Waits in short steps, so that a signal is answered.
  private func waitFor(_ key: String, _ seconds: Double, _ problem: () -> String) throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
      do { if try store.contains(key) { return } } catch { throw lost(error) }
      if let signal = InterruptMonitor.shared.signal { throw LaunchInterruption(signal: signal) }
      guard ContinuousClock.now < deadline else {
        throw ConfigurationError(
          "--nnodes", "\(problem()) within \(Int(seconds)) s", suggestion: "start the same command on every machine")
      }
      usleep(20_000)
    }
  }

  private func lost(_ error: any Error) -> any Error {
    ConfigurationError(
      "--master-addr", "the launcher of machine 0 at \(plan.address):\(plan.port ?? 0) is gone: \(error)",
      suggestion: "look at its output for the reason")
  }
}

/// A signal came before there was anything to stop.
struct LaunchInterruption: Error {
  let signal: Int
}

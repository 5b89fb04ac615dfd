import CProcess

/// The failure of a worker that became the failure of the run.
public struct WorkerFailure: Error, Sendable, Hashable {
  /// What happened to the worker.
  public enum Cause: Sendable, Hashable {
    /// It ended with this exit status without a report. Status 0 means that it ended before the run was over.
    case exited(Int)
    /// It was ended by the signal of this name, such as `"SIGKILL"`.
    case signalled(String)
    /// It reported this error.
    case reported(String)
    /// It reported that the other processes could not be reached, and nobody reported a cause.
    case disconnected(String)
  }

  /// The global rank of the worker.
  public let rank: Int
  /// What happened to it.
  public let cause: Cause
  /// The status with which the run should end: the worker's own, or 128 + signal; never 0.
  public let exitStatus: Int
  /// The last lines the worker printed on standard error, at most `rememberedLines`.
  public let recentErrorLines: [String]
  /// The line of the worker's error output that most likely names the reason.
  public let errorLine: String?

  /// How many lines of error output are kept.
  public static let rememberedLines = 20

  /// Makes a failure from what the worker printed last.
  public init(rank: Int, cause: Cause, exitStatus: Int, recentErrorLines: [String] = []) {
    self.rank = rank
    self.cause = cause
    self.exitStatus = exitStatus == 0 ? 1 : exitStatus
    self.recentErrorLines = recentErrorLines.suffix(Self.rememberedLines)
    errorLine = Self.tellingLine(of: recentErrorLines)
  }

  // A crash is explained at its top and followed by a backtrace; other programs say the reason last.
  private static func tellingLine(of lines: [String]) -> String? {
    for start in ["Fatal error:", "terminate called", "what():", "*** Program crashed:"] {
      guard let line = lines.last(where: { $0.contains(start) }) else { continue }
      return String(line.drop { $0.isWhitespace || $0 == "*" })
    }
    return lines.last { line in line.contains { !$0.isWhitespace } && !line.hasPrefix("Backtrace took") }
  }
}

extension WorkerFailure: CustomStringConvertible {
  public var description: String {
    switch cause {
    case .reported(let message):
      return "rank \(rank) failed: \(message)"
    case .disconnected(let message):
      return "rank \(rank) lost the other processes, and no process reported a cause of its own: \(message)"
    case .signalled(let name):
      return "rank \(rank) was killed by \(name)" + Self.hint(forSignal: name) + lastWords
    case .exited(0):
      return "rank \(rank) ended with exit status 0 before the run was over: it must run the same program to the "
        + "same end as rank 0; do not call exit() or skip a trainer on some ranks"
    case .exited(let status):
      return "rank \(rank) ended with exit status \(status)" + lastWords
    }
  }

  private var lastWords: String {
    errorLine.map { "; it printed: \($0)" } ?? ""
  }

  private static func hint(forSignal name: String) -> String {
    switch name {
    case "SIGKILL": return " (perhaps out of memory: see `dmesg`; a smaller batch or fewer processes need less)"
    case "SIGSEGV": return " (an invalid memory access in native code)"
    case "SIGBUS": return " (an invalid memory access; perhaps a full /dev/shm or disk)"
    case "SIGILL", "SIGTRAP": return " (a failed Swift run-time check: index, force unwrap, precondition, fatalError)"
    case "SIGABRT": return " (an uncaught C++ exception or failed assertion)"
    case "SIGTERM", "SIGINT", "SIGHUP": return " (sent from outside the run)"
    default: return ""
    }
  }

  /// Returns the name of a signal, such as `"SIGKILL"`.
  static func name(ofSignal number: Int) -> String {
    guard let name = cp_signal_name(Int32(number)) else { return "signal \(number)" }
    return "SIG" + String(cString: name)
  }
}

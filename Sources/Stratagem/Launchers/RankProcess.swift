import Glibc

/// The process of a rank, as the other ranks of its machine can look at it.
struct RankProcess: Sendable, Hashable {
  let pid: Int32
  /// Names the machine and its process table.
  let machine: String

  /// This process.
  static var own: RankProcess {
    let boot = SystemFolder.text(of: "/proc/sys/kernel/random/boot_id")?.prefix(36) ?? ""
    let table = SystemFolder.target(of: "/proc/self/ns/pid") ?? ""
    return RankProcess(pid: getpid(), machine: "\(boot)/\(table)")
  }

  var text: String { "\(pid) \(machine)" }

  init(pid: Int32, machine: String) {
    self.pid = pid
    self.machine = machine
  }

  init?(_ text: String) {
    let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
    guard parts.count == 2, let pid = Int32(parts[0]) else { return nil }
    self.init(pid: pid, machine: parts[1])
  }

  private var isHere: Bool { machine == RankProcess.own.machine }

  /// The letter by which the system calls the state of the process; nil when there is no such process.
  private var state: Character? {
    // The state follows the name, which stands in brackets and may hold anything.
    guard let text = SystemFolder.text(of: "/proc/\(pid)/stat"), let bracket = text.lastIndex(of: ")") else {
      return nil
    }
    return text[bracket...].dropFirst(2).first
  }

  /// Whether it is known that the process is no more.
  var hasEnded: Bool { isHere && (state == nil || state == "Z" || state == "X") }

  /// What the system says of the process.
  var condition: String {
    guard isHere else { return "its process \(pid) runs on another machine" }
    guard let state else { return "its process \(pid) has ended" }
    switch state {
    case "T": return "its process \(pid) is stopped (state T; `kill -CONT \(pid)` lets it go on)"
    case "t": return "its process \(pid) is stopped by a debugger (state t)"
    case "Z", "X": return "its process \(pid) has ended (state \(state))"
    case "D": return "its process \(pid) waits for a disk or network (state D)"
    default: return "its process \(pid) exists (state \(state))"
    }
  }
}

/// What a rank answers when it is asked what it does.
enum RankAnswer {
  /// The line of a rank in a report; `answer` is nil when there is none.
  static func line(_ rank: Int, _ answer: String?, _ process: RankProcess?) -> String {
    if let answer { return "  rank \(rank) \(answer)" }
    return "  rank \(rank) did not answer" + (process.map { "; " + $0.condition } ?? "")
  }
}

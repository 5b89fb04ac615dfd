import Foundation
import RunningProcesses
import Testing

/// A program that runs in processes of its own, marked by an environment variable.
final class StartedProgram {
  private let process = Process()
  private let mark = UUID().uuidString
  private let files: TemporaryFolder

  /// - Parameter shell: commands that bash runs before it becomes the program.
  init(_ program: String, _ arguments: [String], environment: [String: String], shell: String?) throws {
    files = try TemporaryFolder()
    if let shell {
      process.executableURL = URL(filePath: "/bin/bash")
      process.arguments = ["-c", shell + #"; exec "$0" "$@""#, program] + arguments
    } else {
      process.executableURL = URL(filePath: program)
      process.arguments = arguments
    }
    var variables = ProcessInfo.processInfo.environment
    for name in ["LOCAL_RANK", "RANK", "WORLD_SIZE", "MASTER_PORT", "MASTER_ADDR"] { variables[name] = nil }
    // One thread: sums in the order of the reference.
    variables["OMP_NUM_THREADS"] = "1"
    variables["SWIFT_BACKTRACE"] = "enable=no"
    variables["STRATAGEM_TEST_MARK"] = mark
    process.environment = variables.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try file("stdout")
    process.standardError = try file("stderr")
    try withUnblockedSignals { try process.run() }
  }

  var pid: Int32 { process.processIdentifier }
  var output: String { files.text("stdout") }
  var errors: String { files.text("stderr") }

  /// Waits until `condition` holds; fails when the program ends before.
  func wait(until condition: () -> Bool) throws {
    let deadline = Date(timeIntervalSinceNow: 60)
    while !condition() {
      try #require(process.isRunning, "the program ended early: \(errors)")
      try #require(Date() < deadline, "waited in vain: \(errors)")
      usleep(1000)
    }
  }

  /// Waits for the end and returns the exit status, or 128 + signal. A run that hangs is ended and recorded.
  func wait() -> Int {
    let deadline = Date(timeIntervalSinceNow: 90)
    while process.isRunning {
      usleep(500)
      guard Date() > deadline else { continue }
      Issue.record("the program hangs: \(members()) \(output) \(errors)")
      for member in members() { kill(member, SIGKILL) }
      process.waitUntilExit()
    }
    let status = Int(process.terminationStatus)
    return process.terminationReason == .uncaughtSignal ? 128 + status : status
  }

  /// The processes of the run, workers and helpers included.
  func members() -> [Int32] { RunningProcesses.withEnvironment(containing: mark) }

  /// The processes of the run that are left some seconds after its end.
  func survivors() -> [Int32] {
    let deadline = Date(timeIntervalSinceNow: 20)
    while true {
      let found = members()
      if found.isEmpty || Date() > deadline { return found }
      usleep(5000)
    }
  }

  private func file(_ name: String) throws -> FileHandle {
    let url = URL(filePath: "\(files.path)/\(name)")
    try Data().write(to: url)
    return try FileHandle(forWritingTo: url)
  }
}

/// Runs `body` with all signals let through; the threads on which tests run block most of them, and a child process
/// inherits that.
private func withUnblockedSignals<Result>(_ body: () throws -> Result) rethrows -> Result {
  var none = sigset_t()
  var before = sigset_t()
  sigemptyset(&none)
  pthread_sigmask(SIG_SETMASK, &none, &before)
  defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
  return try body()
}

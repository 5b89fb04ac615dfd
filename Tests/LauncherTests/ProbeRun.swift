import Foundation
import RunningProcesses
import Testing

/// A run of the executable `launch-probe` in processes of its own.
final class ProbeRun {
  let output: String
  let errors: String
  /// The exit status, or 128 + signal.
  let status: Int

  /// Runs a scenario to its end.
  ///
  /// - Parameters:
  ///   - scenario: its name in the probe's `main.swift`.
  ///   - processes: the number of processes.
  ///   - argument: the scenario's argument.
  ///   - act: what to do with the running program, by its process id, once it runs.
  init(
    _ scenario: String, processes: Int, argument: String = "", environment: [String: String] = [:],
    act: (_ run: Started) throws -> Void = { _ in }
  ) throws {
    let started = try Started(scenario, processes: processes, argument: argument, environment: environment)
    defer { started.removeFolder() }
    try act(started)
    status = started.wait()
    let survivors = started.survivors()
    #expect(survivors.isEmpty, "processes outlived the run")
    for pid in survivors.compactMap({ $0.split(separator: " ").first.flatMap { Int32($0) } }) { kill(pid, SIGKILL) }
    output = started.text("stdout")
    errors = started.text("stderr")
  }

  var lines: [String] { output.split(separator: "\n").map(String.init) }
  var errorLines: [String] { errors.split(separator: "\n").map(String.init) }
}

extension ProbeRun {
  /// A run that has been started.
  final class Started {
    let folder: URL
    private let process = Process()

    init(_ scenario: String, processes: Int, argument: String, environment: [String: String]) throws {
      folder = FileManager.default.temporaryDirectory.appendingPathComponent("launch-probe-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
      process.executableURL = URL(fileURLWithPath: tests).deletingLastPathComponent()
        .appendingPathComponent("launch-probe")
      process.arguments = [scenario, String(processes), folder.path, argument]
      var variables = ProcessInfo.processInfo.environment
      for name in ["LOCAL_RANK", "RANK", "WORLD_SIZE", "MASTER_PORT", "OMP_NUM_THREADS"] { variables[name] = nil }
      variables["STRATAGEM_PROBE_FOLDER"] = folder.path  // marks the helpers of workers too
      process.environment = variables.merging(environment) { $1 }
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = try file("stdout")
      process.standardError = try file("stderr")
      try withUnblockedSignals { try process.run() }
    }

    var pid: Int32 { process.processIdentifier }

    func removeFolder() { try? FileManager.default.removeItem(at: folder) }

    /// Waits until `rank` has come to `event`.
    func meet(_ event: String, of rank: Int) throws {
      let path = folder.appendingPathComponent("\(event).\(rank)").path
      while !FileManager.default.fileExists(atPath: path) {
        try #require(process.isRunning, "the probe ended before rank \(rank) came to \(event): \(text("stderr"))")
        usleep(1000)
      }
    }

    /// Waits for the end and returns the exit status, or 128 + signal. A run that hangs is ended after a minute.
    func wait() -> Int {
      let deadline = Date(timeIntervalSinceNow: 60)
      while process.isRunning {
        usleep(1000)
        guard Date() > deadline else { continue }
        Issue.record("the run hangs: \(runningProcesses()) \(text("stderr"))")
        kill(pid, SIGKILL)
        process.waitUntilExit()
      }
      let status = Int(process.terminationStatus)
      return process.terminationReason == .uncaughtSignal ? 128 + status : status
    }

    /// The processes that still belong to the run some seconds after it ended, by their command lines.
    func survivors() -> [String] {
      let deadline = Date(timeIntervalSinceNow: 20)
      while true {
        let found = runningProcesses()
        if found.isEmpty || Date() > deadline { return found }
        usleep(2000)
      }
    }

    /// All processes whose arguments or environment name the run's folder. Dead ones have neither.
    func runningProcesses() -> [String] {
      RunningProcesses.naming(folder.lastPathComponent).map { "\($0.pid) \($0.commandLine)" }
    }

    func text(_ name: String) -> String {
      let data = FileManager.default.contents(atPath: folder.appendingPathComponent(name).path) ?? Data()
      return String(decoding: data, as: UTF8.self)
    }

    private func file(_ name: String) throws -> FileHandle {
      let url = folder.appendingPathComponent(name)
      try Data().write(to: url)
      return try FileHandle(forWritingTo: url)
    }
  }
}

import Foundation
import Testing
import TorchDistributed

/// The executable `collective-probe`, run to its end in one process a rank.
struct ProbeRun {
  struct Process {
    let output: String
    let errors: String
    /// The exit status, or 128 + signal.
    let status: Int

    /// What stands behind `label: ` in each line that starts so.
    func lines(_ label: String) -> [String] {
      output.split(separator: "\n").filter { $0.hasPrefix(label + ": ") }.map { String($0.dropFirst(label.count + 2)) }
    }

    /// The only such line.
    func text(_ label: String, sourceLocation: SourceLocation = #_sourceLocation) -> String {
      let found = lines(label)
      #expect(found.count == 1, "\(label) in \(output) \(errors)", sourceLocation: sourceLocation)
      return found.first ?? ""
    }

    func numbers(_ label: String, sourceLocation: SourceLocation = #_sourceLocation) -> [Double] {
      text(label, sourceLocation: sourceLocation).split(separator: " ").compactMap { Double($0) }
    }
  }

  let processes: [Process]

  /// - Parameters:
  ///   - size: the number of ranks.
  ///   - started: the number of processes, when some ranks are to be absent.
  ///   - statuses: the expected exit statuses; nil for success everywhere.
  init(
    _ scenario: String, size: Int, started: Int? = nil, argument: String = "", statuses: [Int]? = nil,
    environment: [String: String] = [:],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let store = try Store.server(timeout: 30)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("collective-probe-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let executable = URL(fileURLWithPath: tests).deletingLastPathComponent()
      .appendingPathComponent("collective-probe")
    var running: [Foundation.Process] = []
    defer { for process in running where process.isRunning { kill(process.processIdentifier, SIGKILL) } }
    for rank in 0..<(started ?? size) {
      let process = Foundation.Process()
      process.executableURL = executable
      process.arguments = [scenario, String(rank), String(size), String(store.port), argument]
      let variables = environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
      process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = try Self.file(folder, "\(rank).out")
      process.standardError = try Self.file(folder, "\(rank).err")
      try process.run()
      running.append(process)
    }
    let deadline = Date(timeIntervalSinceNow: 60)
    while running.contains(where: \.isRunning) {
      usleep(2000)
      guard Date() > deadline else { continue }
      Issue.record("\(scenario) hangs", sourceLocation: sourceLocation)
      for process in running where process.isRunning { kill(process.processIdentifier, SIGKILL) }
      for process in running { process.waitUntilExit() }
    }
    processes = running.enumerated().map { rank, process in
      let status = Int(process.terminationStatus)
      return Process(
        output: Self.text(folder, "\(rank).out"), errors: Self.text(folder, "\(rank).err"),
        status: process.terminationReason == .uncaughtSignal ? 128 + status : status)
    }
    let expected = statuses ?? Array(repeating: 0, count: processes.count)
    for (rank, process) in processes.enumerated() {
      #expect(
        process.status == expected[rank], "\(scenario), rank \(rank): \(process.output) \(process.errors)",
        sourceLocation: sourceLocation)
    }
    withExtendedLifetime(store) {}
  }

  private static func file(_ folder: URL, _ name: String) throws -> FileHandle {
    let url = folder.appendingPathComponent(name)
    try Data().write(to: url)
    return try FileHandle(forWritingTo: url)
  }

  private static func text(_ folder: URL, _ name: String) -> String {
    let data = FileManager.default.contents(atPath: folder.appendingPathComponent(name).path) ?? Data()
    return String(decoding: data, as: UTF8.self)
  }
}

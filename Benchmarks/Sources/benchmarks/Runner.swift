import Foundation

/// Runs measurements as processes of their own, with one thread each, and reads the numbers they print.
struct Runner {
  let workload: URL
  let python: URL?
  let scripts: URL
  let data: String
  let output: String

  /// The numbers of `workload` with these arguments.
  func measure(_ arguments: String..., devices: Int = 1, strategy: String? = nil) throws -> [String: Double] {
    let choice = strategy.map { ["--strategy", $0] } ?? []
    return try run(workload, arguments + ["--devices", "\(devices)", "--data", data] + choice)
  }

  /// The numbers of `workload` on 2 ranks in a network namespace of its own, where nothing else is on the loopback
  /// interface.
  ///
  /// - Parameter rate: what `tc` slows the interface down to, such as `100mbit`; nil for as fast as it is.
  func measureIsolated(_ arguments: String..., rate: String?) throws -> [String: Double] {
    let shaping = rate.map { " && tc qdisc add dev lo root tbf rate \($0) burst 256kb latency 500ms" } ?? ""
    let script = "ip link set lo up" + shaping + #" && exec "$0" "$@""#
    return try run(
      URL(fileURLWithPath: "/usr/bin/env"),
      ["unshare", "-n", "sh", "-c", script, workload.path] + arguments + ["--devices", "2", "--data", data])
  }

  /// Why ``measureIsolated(_:rate:)`` cannot work here; nil when it can.
  func obstacleToIsolation(rate: String?) -> String? {
    let shaping = rate.map { " && tc qdisc add dev lo root tbf rate \($0) burst 256kb latency 500ms" } ?? ""
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["unshare", "-n", "sh", "-c", "ip link set lo up" + shaping]
    let pipe = Pipe()
    process.standardError = pipe
    process.standardOutput = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return "there is no /usr/bin/env" }
    let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    if process.terminationStatus == 0 { return nil }
    return text.split(separator: "\n").first.map(String.init) ?? "unshare, ip or tc failed"
  }

  /// The sum over two processes that run at once and know nothing of each other: what the machine gives at best.
  func measureTwo(_ argument: String, _ name: String) throws -> Double {
    let programs = try (0..<2).map { _ in try start(workload, [argument, "--data", data]) }
    return try programs.map { try finish($0)[name] ?? .nan }.reduce(0, +)
  }

  /// The numbers of a Python script; nil without Python.
  func measurePython(_ script: String, _ arguments: String...) throws -> [String: Double]? {
    guard let python else { return nil }
    return try run(python, [scripts.appendingPathComponent(script).path, "--json", "--data", data] + arguments)
  }

  private func run(_ program: URL, _ arguments: [String]) throws -> [String: Double] {
    try finish(start(program, arguments))
  }

  private func start(_ program: URL, _ arguments: [String]) throws -> (process: Process, pipe: Pipe) {
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    var environment = ProcessInfo.processInfo.environment
    environment["OMP_NUM_THREADS"] = "1"
    environment["BENCHMARK_OUTPUT"] = output
    let pipe = Pipe()
    process.standardOutput = pipe
    environment["BENCHMARK_STARTED"] = "\(monotonicNanoseconds())"
    process.environment = environment
    try process.run()
    return (process, pipe)
  }

  private func finish(_ started: (process: Process, pipe: Pipe)) throws -> [String: Double] {
    let (process, pipe) = started
    let command = ([process.executableURL?.lastPathComponent ?? ""] + (process.arguments ?? [])).joined(separator: " ")
    let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure("\(command) exited with \(process.terminationStatus)")
    }
    for line in text.split(separator: "\n") where line.hasPrefix("{") {
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
      return object.compactMapValues { ($0 as? NSNumber)?.doubleValue }
    }
    throw Failure("\(command) printed no result")
  }

  private func monotonicNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}

struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

// Runs the benchmarks and prints a table, or with --json one JSON line per row. Started by `Benchmarks/run`, which see.

import Foundation

do {
  var names: [String] = []
  var options: [String: String] = [:]
  var isJSON = false
  var arguments = Array(CommandLine.arguments.dropFirst())[...]
  while let argument = arguments.popFirst() {
    if argument == "--json" {
      isJSON = true
    } else if argument.hasPrefix("--") {
      guard let value = arguments.popFirst() else { throw Failure("\(argument) needs a value") }
      options[argument] = value
    } else {
      names.append(argument)
    }
  }
  guard let data = options["--data"], let scripts = options["--scripts"] else {
    throw Failure("--data and --scripts are missing; start Benchmarks/run instead")
  }
  guard let rounds = Int(options["--rounds"] ?? "5"), rounds > 0 else {
    throw Failure("--rounds is '\(options["--rounds"] ?? "")'; give a positive number")
  }
  if let wrong = names.first(where: { !Suite.names.contains($0) }) {
    throw Failure("'\(wrong)' is no benchmark: \(Suite.names.joined(separator: ", "))")
  }
  let files = FileManager.default
  let output = files.temporaryDirectory.appendingPathComponent("stratagem-benchmarks-\(getpid())")
  try files.createDirectory(at: output, withIntermediateDirectories: true)
  defer { try? files.removeItem(at: output) }
  let runner = Runner(
    workload: URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appendingPathComponent("workload"),
    python: options["--python"].map { URL(fileURLWithPath: $0) }, scripts: URL(fileURLWithPath: scripts),
    data: data, output: output.path)
  let suite = Suite(runner: runner, rounds: rounds) { FileHandle.standardError.write(Data(($0 + "\n").utf8)) }
  var rows: [Row] = []
  for name in names.isEmpty ? Suite.names : names {
    if name == "python", runner.python == nil { continue }
    let measured = try suite.rows(name)
    if isJSON {
      for row in measured { print(String(decoding: try JSONEncoder().encode(row), as: UTF8.self)) }
    }
    rows += measured
  }
  if !isJSON { Table.print(rows) }
} catch {
  FileHandle.standardError.write(Data("benchmarks: \(error)\n".utf8))
  exit(1)
}

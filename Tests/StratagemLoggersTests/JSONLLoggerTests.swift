import Foundation
import Stratagem
import StratagemLoggers
import Testing

@Suite("Lines of JSON")
struct JSONLLoggerTests {
  private func row(_ step: Int, _ values: (name: String, value: MetricNumber)...) -> LoggedRow {
    LoggedRow(epoch: step / 10, step: step, values: values, time: 1000.25 + Double(step))
  }

  @Test func aLineIsARow() throws {
    let folder = try LoggersFolder()
    let logger = JSONLLogger("\(folder.path)/a/b")
    #expect(folder.names() == [])
    try logger.start(resumingAt: nil)
    try logger.log(row(0, ("train/loss", .float(0.1)), ("say \"x\"", .double(0.1))))
    try logger.log(row(12, ("bad", .float(.nan)), ("worse", .double(-.infinity))))
    try logger.flush()
    #expect(
      try folder.text("a/b/metrics.jsonl") == """
        {"epoch": 0, "step": 0, "time": 1000.25, "train/loss": 0.1, "say \\"x\\"": 0.1}
        {"epoch": 1, "step": 12, "time": 1012.25, "bad": null, "worse": null}

        """)
    try logger.finalize(status: .success)
    try logger.logText("sample", "two\nlines", epoch: 1, step: 13)
    try logger.finalize(status: .success)
    let lines = try folder.text("a/b/metrics.jsonl").split(separator: "\n")
    let last = try JSONSerialization.jsonObject(with: Data(lines[2].utf8)) as? [String: Any]
    #expect(last?["sample"] as? String == "two\nlines")
    #expect(last?["step"] as? Int == 13)
  }

  @Test func numbersRestoreTheirBits() throws {
    let folder = try LoggersFolder()
    let logger = JSONLLogger(folder.path)
    let doubles = (0..<500).map { _ in Double(bitPattern: .random(in: 0...UInt64.max)) }.filter(\.isFinite)
    for (step, double) in doubles.enumerated() { try logger.log(row(step, ("a", .double(double)))) }
    try logger.finalize(status: .success)
    for (line, double) in zip(try folder.text("metrics.jsonl").split(separator: "\n"), doubles) {
      let text = try #require(line.split(separator: " ").last).dropLast()
      #expect(Double(text)?.bitPattern == double.bitPattern)
    }
  }

  @Test func resumingDropsWhatWillBeLoggedAgain() throws {
    let folder = try LoggersFolder()
    let first = JSONLLogger(folder.path)
    for step in 0..<5 { try first.log(row(step, ("a", .double(Double(step))))) }
    try first.finalize(status: .failed)
    let whole = try folder.text("metrics.jsonl")
    try folder.write(whole + "{\"epoch\": 0, \"st", to: "metrics.jsonl")
    let second = JSONLLogger(folder.path)
    try second.start(resumingAt: 3)
    try second.log(row(3, ("a", 30)))
    try second.finalize(status: .success)
    let values = try folder.text("metrics.jsonl").split(separator: "\n").map { $0.split(separator: " ").last! }
    #expect(values == ["0.0}", "1.0}", "2.0}", "30.0}"])
    #expect(folder.names() == ["metrics.jsonl"])
  }

  @Test func anotherRunKeepsTheOlderFile() throws {
    let folder = try LoggersFolder()
    try folder.write("old", to: "metrics.jsonl")
    try JSONLLogger(folder.path).start(resumingAt: nil)
    #expect(try folder.text("previous-metrics.jsonl") == "old")
    #expect(try folder.text("metrics.jsonl") == "")
    let refusing = JSONLLogger(folder.path, existing: .refuse)
    #expect(throws: LogFileError.self) { try refusing.start(resumingAt: nil) }
  }

  @Test func hyperParameters() throws {
    let folder = try LoggersFolder()
    try JSONLLogger(folder.path).logHyperParameters([("lr", "0.1"), ("name", "a \"b\"")])
    #expect(try folder.text("hparams.json") == "{\"lr\": \"0.1\", \"name\": \"a \\\"b\\\"\"}\n")
  }

  @Test("What cannot be logged", arguments: ["epoch", "step", "time", "twice"])
  func refusals(name: String) throws {
    let folder = try LoggersFolder()
    let logger = JSONLLogger(folder.path)
    try logger.log(row(0, ("a", 1)))
    let error = #expect(throws: LogFileError.self) { try logger.log(row(1, (name, 1), ("b", 2), ("twice", 3))) }
    #expect("\(error!)".contains("'\(name)'"))
    #expect(error?.path == logger.path)
    try logger.finalize(status: .success)
    #expect(try folder.text("metrics.jsonl").split(separator: "\n").count == 1)
  }

  @Test func filesThatCannotBeUsed() throws {
    let folder = try LoggersFolder()
    try folder.write("epoch,step,a\n0,0,1\n", to: "metrics.jsonl")
    let error = #expect(throws: LogFileError.self) { try JSONLLogger(folder.path).start(resumingAt: 3) }
    #expect(error?.reason.hasPrefix("line 1 does not begin with epoch, step and time") == true)
    #expect(try folder.text("metrics.jsonl") == "epoch,step,a\n0,0,1\n")

    let full = JSONLLogger("/dev", fileName: "full", flushSeconds: 0)
    let failure = #expect(throws: LogFileError.self) { try full.log(row(0, ("a", 1))) }
    #expect(failure?.path == "/dev/full")
    #expect(failure?.code == ENOSPC)
  }
}

import Foundation
import Testing

@testable import Stratagem

@Suite struct CSVLoggerTests {
  private func row(_ step: Int, _ values: (name: String, value: MetricNumber)...) -> LoggedRow {
    LoggedRow(epoch: step / 10, step: step, values: values)
  }

  @Test func makingALoggerTouchesNothing() throws {
    let folder = try LoggingFolder()
    let logger = CSVLogger(folder.path + "/a/b")
    #expect(logger.path == folder.path + "/a/b/metrics.csv")
    #expect(try folder.names.isEmpty)
    try logger.start(resumingAt: nil)
    #expect(try folder.names == ["a"])
  }

  @Test func columnsComeInOrderOfAppearance() throws {
    let folder = try LoggingFolder()
    let logger = CSVLogger(folder.path)
    try logger.log(row(0, ("train/loss", .float(2.5)), ("lr", 0.1)))
    try logger.log(row(1, ("lr", 0.01), ("train/loss", .float(0.1))))
    try logger.finalize(status: .success)
    #expect(try folder.text("metrics.csv") == "epoch,step,train/loss,lr\n0,0,2.5,0.1\n0,1,0.1,0.01\n")
  }

  @Test(arguments: [1, 3, 1000]) func headerGrowsAndOldRowsArePadded(flushInterval: Int) throws {
    let folder = try LoggingFolder()
    let logger = CSVLogger(folder.path, flushInterval: flushInterval)
    try logger.log(row(0, ("a", 1)))
    try logger.log(row(1, ("a", 2)))
    try logger.log(row(1, ("b", 3), ("c", 4)))
    try logger.log(row(12, ("c", 5), ("a", 6)))
    try logger.log(row(13))
    try logger.flush()
    #expect(
      try folder.text("metrics.csv")
        == "epoch,step,a,b,c\n0,0,1.0,,\n0,1,2.0,,\n0,1,,3.0,4.0\n1,12,6.0,,5.0\n1,13,,,\n")
    try logger.log(row(14, ("d", -1)))
    try logger.finalize(status: .failed)
    #expect(try folder.text("metrics.csv").hasSuffix("1,13,,,,\n1,14,,,,-1.0\n"))
    #expect(try folder.names == ["metrics.csv"])
  }

  @Test func numbersRestoreTheirBits() throws {
    let folder = try LoggingFolder()
    var random = SystemRandomNumberGenerator()
    var floats: [Float] = [0, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.1, 1e-10, 16_777_216, .pi]
    var doubles: [Double] = [0, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.1, 1e-10, 1e22, .pi]
    while floats.count < 2000 {
      let (float, double) = (Float(bitPattern: random.next()), Double(bitPattern: random.next()))
      guard float.isFinite, double.isFinite else { continue }
      floats.append(float)
      doubles.append(double)
    }
    let logger = CSVLogger(folder.path)
    for step in floats.indices {
      try logger.log(row(step, ("float", .float(floats[step])), ("double", .double(doubles[step]))))
    }
    try logger.finalize(status: .success)

    let lines = try folder.text("metrics.csv").split(separator: "\n").dropFirst()
    #expect(lines.count == floats.count)
    for (step, line) in lines.enumerated() {
      let cells = line.split(separator: ",")
      #expect(Int(cells[1]) == step)
      #expect(Float(cells[2])?.bitPattern == floats[step].bitPattern, "\(cells[2])")
      #expect(Double(cells[3])?.bitPattern == doubles[step].bitPattern, "\(cells[3])")
    }
  }

  @Test func nonFiniteNumbers() throws {
    let folder = try LoggingFolder()
    let logger = CSVLogger(folder.path)
    try logger.log(
      row(-3, ("a", .float(.nan)), ("b", .double(-.nan)), ("c", .float(-.infinity)), ("d", .double(.infinity))))
    try logger.flush()
    #expect(try folder.text("metrics.csv") == "epoch,step,a,b,c,d\n0,-3,nan,nan,-inf,inf\n")
  }

  @Test func namesAreQuoted() throws {
    let folder = try LoggingFolder()
    let names = ["a,b", "say \"x\"", "two\nlines", " blank", "größe"]
    let logger = CSVLogger(folder.path, flushInterval: 1)
    for (step, name) in names.enumerated() { try logger.log(LoggedRow(epoch: 0, step: step, values: [(name, 1)])) }
    try logger.finalize(status: .success)
    let text = try folder.text("metrics.csv")
    #expect(text.hasPrefix("epoch,step,\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",\" blank\",größe\n0,0,1.0,,,,\n"))
    let record = try #require(CSVText.firstRecord(of: Array(text.utf8)))
    #expect(record.cells == ["epoch", "step"] + names)

    // The quoted header is understood when the run is resumed.
    let resumed = CSVLogger(folder.path)
    try resumed.start(resumingAt: 1)
    try resumed.log(LoggedRow(epoch: 0, step: 1, values: [("two\nlines", 7)]))
    try resumed.finalize(status: .success)
    #expect(try folder.text("metrics.csv").hasSuffix("größe\n0,0,1.0,,,,\n0,1,,,7.0,,\n"))
  }

  @Test func theFileEndsWithAWholeLineAtEveryFlush() throws {
    let folder = try LoggingFolder()
    let logger = CSVLogger(folder.path, flushInterval: 4)
    for step in 0..<30 {
      try logger.log(row(step, ("loss", .float(1 / Float(step + 3)))))
      let lines = (try folder.text("metrics.csv")).split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.last == "")
      #expect(lines.count - 1 == (step + 1) / 4 * 4 + ((step + 1) / 4 > 0 ? 1 : 0))
    }
  }

  @Test func reservedAndRepeatedNamesAreRefused() throws {
    let folder = try LoggingFolder()
    let logger = CSVLogger(folder.path)
    try logger.log(row(0, ("a", 1)))
    let reserved = #expect(throws: LogFileError.self) { try logger.log(row(1, ("b", 1), ("step", 2))) }
    #expect(reserved?.description.contains("may not be named 'step'") == true)
    let repeated = #expect(throws: LogFileError.self) { try logger.log(row(2, ("c", 1), ("c", 2))) }
    #expect(repeated?.description.contains("'c' occurs twice in the row of epoch 0, step 2") == true)
    // Nothing of the refused rows stays.
    try logger.log(row(3, ("d", 4), ("a", 3)))
    try logger.finalize(status: .success)
    #expect(try folder.text("metrics.csv") == "epoch,step,a,d\n0,0,1.0,\n0,3,3.0,4.0\n")
  }

  @Test func aFullDiskIsReportedAndTheRowsAreKept() throws {
    let folder = try LoggingFolder()
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/metrics.csv", withDestinationPath: "/dev/full")
    let logger = CSVLogger(folder.path)
    try logger.log(row(0, ("a", 1)))
    for _ in 0..<2 {
      let error = #expect(throws: LogFileError.self) { try logger.flush() }
      #expect(error?.code == ENOSPC)
      #expect(
        error?.description == "cannot write '\(folder.path)/metrics.csv': No space left on device (errno \(ENOSPC))")
    }
  }

  @Test func anUnusableFolderIsReported() throws {
    let folder = try LoggingFolder()
    try folder.write("", to: "file")
    let error = #expect(throws: LogFileError.self) {
      try CSVLogger(folder.path + "/file/runs").log(row(0, ("a", 1)))
    }
    #expect(error?.path == folder.path + "/file/runs")
    #expect(error?.code == ENOTDIR)
  }

  @Test func aSecondWriterIsRefusedAndHarmless() throws {
    let folder = try LoggingFolder()
    let first = CSVLogger(folder.path)
    try first.log(row(0, ("a", 1)))
    try first.flush()
    for step in [nil, 0] {
      let error = #expect(throws: LogFileError.self) { try CSVLogger(folder.path).start(resumingAt: step) }
      #expect(error?.description.contains("another run is writing this file now") == true)
    }
    try first.log(row(1, ("b", 2)))
    try first.finalize(status: .success)
    #expect(try folder.text("metrics.csv") == "epoch,step,a,b\n0,0,1.0,\n0,1,,2.0\n")
    #expect(try folder.names == ["metrics.csv"])
  }

  @Test func hyperParametersAreYAML() throws {
    let folder = try LoggingFolder()
    try CSVLogger(folder.path + "/x").logHyperParameters([
      ("lr", "0.1"), ("name", "a: b"), ("note", ""), ("path", "runs/a-1"), ("dash", "-"), ("shift", "-1.5"),
    ])
    #expect(
      try folder.text("x/hparams.yaml")
        == "lr: 0.1\nname: \"a: b\"\nnote: \"\"\npath: runs/a-1\ndash: \"-\"\nshift: -1.5\n")
  }
}

import Foundation
import Testing

@testable import Stratagem

@Suite struct CSVLoggerResumeTests {
  private func log(_ steps: Range<Int>, to logger: CSVLogger) throws {
    for step in steps {
      try logger.log(LoggedRow(epoch: step / 4, step: step, values: [("loss", .float(Float(step) / 7))]))
      if step % 4 == 3 {
        try logger.log(LoggedRow(epoch: step / 4, step: step, values: [("val/loss", .float(Float(step) / 3))]))
      }
    }
  }

  @Test(arguments: [0, 1, 6, 8, 10]) func aResumedRunLeavesTheFileOfAnUninterruptedOne(step: Int) throws {
    let (whole, broken) = (try LoggingFolder(), try LoggingFolder())
    let uninterrupted = CSVLogger(whole.path)
    try log(0..<12, to: uninterrupted)
    try uninterrupted.finalize(status: .success)

    let first = CSVLogger(broken.path, flushInterval: 1)
    try log(0..<10, to: first)
    try first.finalize(status: .failed)
    let second = CSVLogger(broken.path)
    try second.start(resumingAt: step)
    try log(step..<12, to: second)
    try second.finalize(status: .success)
    let header = "epoch,step,loss,val/loss\n"
    #expect(try whole.text("metrics.csv").hasPrefix(header + "0,0,0.0,\n"))
    #expect(try broken.text("metrics.csv") == whole.text("metrics.csv"))
    #expect(try broken.names == ["metrics.csv"])
  }

  @Test func aLineCutOffByAKillIsDropped() throws {
    let folder = try LoggingFolder()
    try folder.write("epoch,step,loss\n0,0,0.5\n0,1,0.2", to: "metrics.csv")
    let logger = CSVLogger(folder.path)
    try logger.start(resumingAt: 1)
    try logger.log(LoggedRow(epoch: 0, step: 1, values: [("loss", .float(0.25))]))
    try logger.finalize(status: .success)
    #expect(try folder.text("metrics.csv") == "epoch,step,loss\n0,0,0.5\n0,1,0.25\n")
  }

  @Test(arguments: ["", "epoch,st"]) func aFileWithoutAHeaderBeginsAnew(content: String) throws {
    let folder = try LoggingFolder()
    try folder.write(content, to: "metrics.csv")
    let logger = CSVLogger(folder.path)
    try logger.start(resumingAt: 5)
    try logger.log(LoggedRow(epoch: 0, step: 5, values: [("loss", 1)]))
    try logger.finalize(status: .success)
    #expect(try folder.text("metrics.csv") == "epoch,step,loss\n0,5,1.0\n")
  }

  @Test func resumingWithoutAFileMakesOne() throws {
    let folder = try LoggingFolder()
    let logger = CSVLogger(folder.path)
    try logger.start(resumingAt: 5)
    try logger.log(LoggedRow(epoch: 0, step: 5, values: [("loss", 1)]))
    try logger.finalize(status: .success)
    #expect(try folder.text("metrics.csv") == "epoch,step,loss\n0,5,1.0\n")
  }

  @Test func foreignAndDamagedFilesAreLeftAlone() throws {
    let folder = try LoggingFolder()
    for (content, words) in [
      ("name,age\nx,3\n", "its first line begins with 'name,age'"),
      ("epoch,step,a\n0,0,1\n0,x1,2\n", "line 3, column 2 (step) is 'x1', not an integer"),
    ] {
      try folder.write(content, to: "metrics.csv")
      let error = #expect(throws: LogFileError.self) { try CSVLogger(folder.path).start(resumingAt: 1) }
      #expect(error?.description.contains(words) == true, "\(String(describing: error))")
      #expect(try folder.text("metrics.csv") == content)
    }
  }

  @Test func aNewRunKeepsReplacesOrRefusesTheOldFile() throws {
    let folder = try LoggingFolder()
    func run(_ value: MetricNumber, _ existing: ExistingLogFile) throws {
      let logger = CSVLogger(folder.path, existing: existing)
      try logger.log(LoggedRow(epoch: 0, step: 0, values: [("a", value)]))
      try logger.finalize(status: .success)
    }
    try run(1, .refuse)
    try run(2, .keepPrevious)
    #expect(try folder.text("previous-metrics.csv") == "epoch,step,a\n0,0,1.0\n")
    #expect(try folder.text("metrics.csv") == "epoch,step,a\n0,0,2.0\n")
    try run(3, .replace)
    #expect(try folder.text("previous-metrics.csv") == "epoch,step,a\n0,0,1.0\n")
    #expect(try folder.text("metrics.csv") == "epoch,step,a\n0,0,3.0\n")
    #expect(throws: LogFileError.self) { try run(4, .refuse) }
    #expect(try folder.text("metrics.csv") == "epoch,step,a\n0,0,3.0\n")
  }

  @Test func aFinalizedLoggerGoesOnInTheSameFile() throws {
    let folder = try LoggingFolder()
    let logger = CSVLogger(folder.path)
    try log(0..<2, to: logger)
    try logger.finalize(status: .success)
    try logger.start(resumingAt: nil)
    try logger.log(LoggedRow(epoch: 0, step: 2, values: [("test/loss", 1)]))
    try logger.finalize(status: .success)
    #expect(try folder.text("metrics.csv") == "epoch,step,loss,test/loss\n0,0,0.0,\n0,1,0.14285715,\n0,2,,1.0\n")
    #expect(try folder.names == ["metrics.csv"])
  }
}

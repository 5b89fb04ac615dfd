import Foundation
import Stratagem
import StratagemLoggers
import Testing

@Suite("TensorBoard itself reads the files", .enabled(if: TensorBoard.isAvailable, TensorBoard.reason))
struct RealTensorBoardTests {
  @Test func everythingThatCanBeLogged() throws {
    let folder = try LoggersFolder()
    let logger = TensorBoardLogger(folder.path)
    try logger.start(resumingAt: nil)
    try logger.logHyperParameters([
      ("learning_rate", "0.1"), ("optimizer", "adamw"), ("nesterov", "true"), ("schedule", "10, 20"),
    ])
    for step in 0..<3000 {
      try logger.log(
        LoggedRow(
          epoch: step / 1000, step: step,
          values: [("train/loss", .float(1 / Float(step + 1))), ("größe", .double(Double(step) * 1e10))],
          time: 1000 + Double(step) / 8))
    }
    try logger.log(
      LoggedRow(epoch: 2, step: 2999, values: [("val/loss", .double(.nan)), ("val/max", .double(.infinity))]))
    try logger.logText("sample", "To be, or **not** to be", epoch: 0, step: 5)
    let values = [-1, -0.5, 0, 0.25, 3.0, .nan]
    try logger.logHistogram("weights", try #require(Histogram(values, buckets: 4)), epoch: 0, step: 5)
    try logger.finalize(status: .success)

    let report = try TensorBoard.read(folder.path)
    #expect(Set(report.scalars.keys) == ["train/loss", "größe", "val/loss", "val/max", "epoch"])
    let loss = try #require(report.scalars["train/loss"])
    #expect(loss.map(\.step) == Array(0..<3000))
    #expect(loss.map { Float($0.value) } == (0..<3000).map { 1 / Float($0 + 1) })
    #expect(loss.map(\.time) == (0..<3000).map { 1000 + Double($0) / 8 })
    #expect(report.scalars["größe"]?.map { Float($0.value) } == (0..<3000).map { Float(Double($0) * 1e10) })
    #expect(report.scalars["epoch"]?.map(\.value).prefix(3000).map { Int($0) } == (0..<3000).map { $0 / 1000 })
    #expect(report.scalars["val/loss"]?.map(\.value.isNaN) == [true])
    #expect(report.scalars["val/max"]?.map(\.value) == [.infinity])
    #expect(report.texts == ["sample/text_summary": ["To be, or **not** to be"]])
    let histogram = try #require(report.histograms["weights"])
    #expect(histogram.minimum == -1 && histogram.maximum == 3 && histogram.count == 5)
    #expect(histogram.sum == 1.75 && histogram.sumOfSquares == 1 + 0.25 + 0.0625 + 9)
    #expect(histogram.limits == [0, 1, 2, 3])
    #expect(histogram.counts == [2, 2, 0, 1])
    #expect(
      report.hyperParameters
        == ["learning_rate": "0.1", "optimizer": "\"adamw\"", "nesterov": "true", "schedule": "\"10, 20\""])
    #expect(report.status == 1)
  }

  @Test func aResumedRunReplacesWhatCameAfterItsCheckpoint() throws {
    let folder = try LoggersFolder()
    for (start, end) in [(nil, 10), (6, 8), (7, 12)] as [(Int?, Int)] {
      let logger = TensorBoardLogger(folder.path)
      try logger.start(resumingAt: start)
      for step in (start ?? 0)..<end {
        try logger.log(LoggedRow(epoch: 0, step: step, values: [("a", .double(Double(100 * (start ?? 0) + step)))]))
      }
      try logger.finalize(status: .failed)
    }
    let scalars = try #require(try TensorBoard.read(folder.path).scalars["a"])
    #expect(scalars.map(\.step) == Array(0..<12))
    #expect(scalars.map { Int($0.value) } == [0, 1, 2, 3, 4, 5, 606, 707, 708, 709, 710, 711])
  }

  @Test("A file that a kill cut off is read up to its last whole record")
  func cutFile() throws {
    let folder = try LoggersFolder()
    let logger = TensorBoardLogger(folder.path)
    for step in 0..<5 { try logger.log(LoggedRow(epoch: 0, step: step, values: [("a", 1)])) }
    try logger.finalize(status: .success)
    let path = try #require(logger.path)
    let handle = try FileHandle(forUpdating: URL(filePath: path))
    try handle.truncate(atOffset: try handle.seekToEnd() - 10)
    #expect(try TensorBoard.read(folder.path).scalars["a"]?.map(\.step) == [0, 1, 2, 3])
    let resumed = TensorBoardLogger(folder.path)
    try resumed.start(resumingAt: 2)
    try resumed.log(LoggedRow(epoch: 0, step: 2, values: [("a", 2)]))
    try resumed.finalize(status: .success)
    #expect(try TensorBoard.read(folder.path).scalars["a"]?.map { Int($0.value) } == [1, 1, 2])
  }
}

import Foundation
import Stratagem
import Testing

@testable import StratagemLoggers

@Suite("Event files")
struct TensorBoardLoggerTests {
  private func row(_ step: Int, _ values: (name: String, value: MetricNumber)...) -> LoggedRow {
    LoggedRow(epoch: step / 10, step: step, values: values)
  }

  private func contents(_ folder: LoggersFolder, _ index: Int = 0) throws -> EventFileContents {
    let names = folder.names().filter { $0.contains("tfevents") }
    return try EventFileContents(try folder.bytes(try #require(names.dropFirst(index).first)))
  }

  @Test func makingALoggerTouchesNothing() throws {
    let folder = try LoggersFolder()
    let logger = TensorBoardLogger("\(folder.path)/a/b")
    #expect(folder.names() == [])
    #expect(logger.path == nil)
    try logger.finalize(status: .success)
    #expect(folder.names() == [])
    try logger.start(resumingAt: nil)
    #expect(folder.names(in: "a/b").count == 1)
  }

  @Test func theFileIsNamedAsTensorBoardExpects() throws {
    let folder = try LoggersFolder()
    let first = TensorBoardLogger(folder.path)
    try first.start(resumingAt: nil)
    let name = try #require(folder.names().first)
    let parts = name.split(separator: ".")
    #expect(name.hasPrefix("events.out.tfevents."))
    #expect(abs(try #require(Double(parts[3])) - Date().timeIntervalSince1970) < 60)
    #expect(name.contains(".\(getpid())."))
    let event = try #require(try contents(folder).events.first)
    #expect(event.text(3) == "brain.Event:2")
    #expect(try #require(event.double(1)) > 1e9)
  }

  @Test func everyRowIsAnEvent() throws {
    let folder = try LoggersFolder()
    let logger = TensorBoardLogger(folder.path)
    try logger.log(row(0, ("train/loss", .float(2.5)), ("lr", 0.1)))
    try logger.log(row(12, ("train/loss", .float(.infinity))))
    #expect(try contents(folder).events.count == 1, "rows wait in memory")
    try logger.flush()
    #expect(try contents(folder).events.count == 3)
    try logger.finalize(status: .success)
    try logger.log(row(13, ("lr", 3)))
    try logger.finalize(status: .success)
    #expect(folder.names().count == 1)
    let loss = try contents(folder).scalars("train/loss")
    #expect(loss.map(\.step) == [0, 12])
    #expect(loss.map(\.value) == [2.5, .infinity])
    #expect(try contents(folder).scalars("lr").map(\.value) == [0.1, 3])
    #expect(try contents(folder).scalars("epoch").map(\.value) == [0, 1, 1])
  }

  @Test func rowsAreWrittenWhenThereAreMany() throws {
    let folder = try LoggersFolder()
    let logger = TensorBoardLogger(folder.path, flushSeconds: 1e9)
    for step in 0..<2000 { try logger.log(row(step, ("a", 1))) }
    let written = try contents(folder).events.count
    #expect(written > 1000 && written < 2000)
    withExtendedLifetime(logger) {}
  }

  @Test func anotherRunKeepsTheOlderFiles() throws {
    let folder = try LoggersFolder()
    for value in 1...3 {
      let logger = TensorBoardLogger(folder.path)
      try logger.start(resumingAt: nil)
      try logger.log(row(0, ("a", .double(Double(value)))))
      try logger.finalize(status: .success)
      #expect(folder.names().filter { $0.contains("tfevents") }.count == 1)
      #expect(folder.names(in: "previous").count == min(value - 1, 1))
      #expect(try contents(folder).scalars("a").map(\.value) == [Float(value)])
    }
    let logger = TensorBoardLogger(folder.path, existing: .refuse)
    let error = #expect(throws: LogFileError.self) { try logger.start(resumingAt: nil) }
    #expect("\(error!)".hasPrefix("cannot write to '\(folder.path)': there are event files of another run"))
    try TensorBoardLogger(folder.path, existing: .replace).start(resumingAt: nil)
    #expect(try contents(folder).events.count == 1)
  }

  @Test func aRunThatIsWritingIsNotDisturbed() throws {
    let folder = try LoggersFolder()
    let first = TensorBoardLogger(folder.path)
    try first.start(resumingAt: nil)
    let error = #expect(throws: LogFileError.self) { try TensorBoardLogger(folder.path).start(resumingAt: nil) }
    #expect(error?.reason == "another run is writing this file now; give this run another folder")
    #expect(error?.path == first.path)
    #expect(folder.names().count == 1)
  }

  @Test func aResumedRunTellsFromWhichStepItGoesOn() throws {
    let folder = try LoggersFolder()
    let first = TensorBoardLogger(folder.path)
    for step in 0..<4 { try first.log(row(step, ("a", .double(Double(step))))) }
    try first.finalize(status: .failed)
    let second = TensorBoardLogger(folder.path)
    try second.start(resumingAt: 2)
    try second.log(row(2, ("a", 20)))
    try second.finalize(status: .success)
    // In the order in which they are read, although both were made in the same second.
    #expect(try contents(folder, 0).scalars("a").map(\.value) == [0, 1, 2, 3])
    let later = try contents(folder, 1)
    #expect(later.events[1].int(2) == 2)
    #expect(try later.events[1].messages(7).map { $0.int(1) } == [1])
    #expect(try later.scalars("a").map(\.value) == [20])
  }

  @Test func foldersThatCannotBeWritten() throws {
    let folder = try LoggersFolder()
    try folder.write("", to: "file")
    let logger = TensorBoardLogger("\(folder.path)/file/run")
    let error = #expect(throws: LogFileError.self) { try logger.log(row(0, ("a", 1))) }
    #expect(error?.path == "\(folder.path)/file/run")
    #expect(error?.code == ENOTDIR)
  }
}

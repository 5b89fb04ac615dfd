import Foundation
import Testing

@testable import StratagemLoggers

@Suite("Runs with several loggers")
struct RunTests {
  private func events(_ folder: LoggersFolder) throws -> [EventFileContents] {
    try folder.names().filter { $0.contains("tfevents") }.map { try EventFileContents(try folder.bytes($0)) }
  }

  @Test("All of them record the same", arguments: [1, 2])
  func several(ranks: Int) throws {
    let run = try TrainingProbe(
      ranks, "loggers=csv,tensorboard,jsonl", "epochs=2", "train=24", "val=8", "model=logging")
    #expect(run.status == 0, "\(run.errors)")
    let files = try events(run.folder)
    #expect(files.count == 1)
    let lines = try run.folder.text("metrics.jsonl").split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    let table = try run.folder.text("metrics.csv").split(separator: "\n")
      .map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    for name in ["mean_step", "mean_epoch", "val/value_epoch", "hook", "spread"] {
      let column = try #require(table[0].firstIndex(of: Substring(name)))
      let rows = table.dropFirst().filter { !$0[column].isEmpty }
      let scalars = try files[0].scalars(name)
      #expect(!rows.isEmpty)
      #expect(rows.map { Int($0[1]) } == scalars.map(\.step))
      #expect(rows.compactMap { Float($0[column]) } == scalars.map(\.value))
      #expect(lines.compactMap { $0[name] as? Double }.map(Float.init) == scalars.map(\.value))
    }
    let notes = lines.filter { $0["note"] != nil }
    #expect(notes.compactMap { $0["note"] as? String } == ["step \(6 / ranks)", "step \(12 / ranks)"])
    #expect(notes.compactMap { $0["epoch"] as? Int } == [0, 1])
  }

  @Test("A killed process leaves what it has written; the resumed one goes on in the folder")
  func killed() throws {
    let killed = try TrainingProbe(
      1, "loggers=tensorboard,jsonl", "flush-seconds=0", "epochs=2", "train=400", "val=-1", "fault=kill", "at=75",
      "every-steps=40")
    #expect(killed.status == Int(SIGKILL))
    #expect(try events(killed.folder).map { try $0.scalars("train/loss").map(\.step) } == [Array(0..<75)])
    let checkpoint = try #require(killed.folder.names(in: "checkpoints").first { $0.hasSuffix(".ckpt") })
    let resumed = try TrainingProbe(
      1, "loggers=tensorboard,jsonl", "epochs=1", "train=400", "val=-1", "every-steps=40",
      "resume=\(killed.folder.path)/checkpoints/\(checkpoint)", folder: killed.folder)
    #expect(resumed.status == 0, "\(resumed.errors)")
    let files = try events(killed.folder)
    #expect(files.count == 2)
    #expect(try files[1].events[1].messages(7).isEmpty == false)
    #expect(try files[1].scalars("train/loss").map(\.step) == Array(40..<100))
    let steps = try killed.folder.text("metrics.jsonl").split(separator: "\n").filter { $0.contains("train/loss") }
      .map { $0.split(separator: " ")[3] }
    #expect(steps == (0..<100).map { "\($0)," })
  }

  @Test("A full disk: the error names the file, which ends with a whole record", arguments: ["tensorboard", "jsonl"])
  func full(logger: String) throws {
    let run = try TrainingProbe(
      1, "loggers=\(logger)", "flush-seconds=0", "epochs=1", "train=2000", "val=-1", "checkpoints=no", limit: 8)
    #expect(run.status == 1)
    let name = try #require(run.folder.names().first { $0.contains("metrics") || $0.contains("tfevents") })
    #expect(
      run.errors.contains("cannot write '\(run.folder.path)/\(name)': File too large (errno 27)"), "\(run.errors)")
    if logger == "jsonl" {
      let text = try run.folder.text(name)
      #expect(text.hasSuffix("}\n") && text.utf8.count > 7000)
    } else {
      let bytes = try run.folder.bytes(name)
      #expect(RecordFraming.wholeLength(bytes[...]) == bytes.count && bytes.count > 7000)
    }
  }

  @Test("TensorBoard reads a run", .enabled(if: TensorBoard.isAvailable, TensorBoard.reason))
  func readBack() throws {
    let run = try TrainingProbe(2, "loggers=tensorboard", "epochs=2", "train=24", "val=8", "model=logging")
    #expect(run.status == 0, "\(run.errors)")
    let report = try TensorBoard.read(run.folder.path)
    #expect(report.scalars["mean_step"]?.map(\.step) == Array(0..<6))
    #expect(report.scalars["mean_step"]?.map(\.value) == [5, 6, 7, 5, 6, 7])
    #expect(report.scalars["sum_epoch"]?.map(\.value) == [36, 36])
    #expect(report.scalars["sum_epoch"]?.map(\.step) == [2, 5])
    #expect(report.texts["note/text_summary"] == ["step 3", "step 6"])
    #expect(report.histograms["fc1.weight"]?.count == 32)
    #expect(report.hyperParameters == ["learning_rate": "0.1"])
    #expect(report.status == 1)
  }
}

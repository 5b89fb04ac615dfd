import Foundation
import Testing
import Torch

@Suite("Going on from a checkpoint")
struct ResumeTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let options: [String]
  }

  static let cases = [
    Case(testDescription: "SGD with momentum, step schedule", options: ["optimizer=sgd", "schedule=step"]),
    Case(
      testDescription: "AdamW, cosine schedule, dropout, shuffled",
      options: ["optimizer=adamw", "lr=0.01", "schedule=cosine", "dropout=0.5", "shuffle"]),
    Case(
      testDescription: "accumulated gradients, a schedule that watches a metric",
      options: ["accumulate=2", "schedule=plateau", "dropout=0.2"]),
  ]

  /// Ten batches of four on one rank, five on two; with accumulation half as many steps.
  @Test("To the bit: weights, metrics and schedules", arguments: [1, 2], cases)
  func toTheBit(ranks: Int, setting: Case) throws {
    let options = ["train=40", "batch=4", "epochs=3"] + setting.options
    let whole = try run(ranks, options)
    let perEpoch =
      (10 / ranks + (setting.options.contains("accumulate=2") ? 1 : 0))
      / (setting.options.contains("accumulate=2") ? 2 : 1)
    // In the middle of the second epoch, and where it ends.
    for stop in [perEpoch + 2, 2 * perEpoch] {
      let part = try run(ranks, options + ["steps=\(stop)"])
      let checkpoint = "\(part.folder.path)/checkpoints/last.ckpt"
      #expect(try CheckpointFile(checkpoint).step == stop)
      let rest = try run(ranks, options + ["resume=\(checkpoint)"], in: part.folder)
      #expect(rest.weightSums == whole.weightSums, "stopped after step \(stop)")
      #expect(Set(rest.weightSums).count == 1 && rest.weightSums.count == ranks)
      #expect(rest.folder.text("metrics.csv") == whole.folder.text("metrics.csv"), "stopped after step \(stop)")
      let ends = try [whole, rest].map { try CheckpointFile("\($0.folder.path)/checkpoints/last.ckpt") }
      #expect(try largestDifference(ends[0], ends[1]) == 0)
      #expect("\(describe(ends[0], "lr_schedulers"))" == "\(describe(ends[1], "lr_schedulers"))")
    }
  }

  private func run(_ ranks: Int, _ options: [String], in folder: TemporaryFolder? = nil) throws -> ProbeRun {
    try ProbeRun("fit", ranks, options: options, folder: folder).succeeded()
  }

  private func describe(_ checkpoint: CheckpointFile, _ key: String) -> String {
    checkpoint.contents[key].map { "\($0)" } ?? "absent"
  }

  @Test("A checkpoint of two ranks goes on on one and on three, with the same global batch")
  func otherWorldSize() throws {
    let common = [
      "fit", "--weights", Repository.reference("w1.safetensors"), "--no-shuffle", "--json", "--epochs", "1",
    ]
    let whole = try TemporaryFolder()
    let part = try TemporaryFolder()
    let two = ["--devices", "2", "--batch-size", "24"]
    try ProgramRun("digits", common + two + ["--output", whole.path]).succeeded()
    try ProgramRun("digits", common + two + ["--output", part.path, "--max-steps", "11"]).succeeded()
    let expected = try MetricsFile("\(whole.path)/metrics.csv").rows("train/loss")
    for ranks in [1, 3] {
      let rest = try TemporaryFolder()
      try ProgramRun(
        "digits",
        common + ["--devices", "\(ranks)", "--batch-size", "\(48 / ranks)", "--output", rest.path]
          + ["--resume", "\(part.path)/last.ckpt"]
      ).succeeded()
      let found = try MetricsFile("\(rest.path)/metrics.csv").rows("train/loss")
      #expect(found.map(\.step) == Array(11..<31))
      for (row, reference) in zip(found, expected.dropFirst(11)) {
        expectClose(row.value, reference.value, within: 1e-5, "loss of step \(row.step) on \(ranks) ranks")
      }
    }
  }

  @Test("A checkpoint of PyTorch Lightning's is resumed")
  func lightning() throws {
    struct Files: Decodable {
      struct Checkpoint: Decodable {
        let steps: Int
        let nextLosses: [Double]

        enum CodingKeys: String, CodingKey {
          case steps
          case nextLosses = "next_losses"
        }
      }
      let checkpoint: Checkpoint

      enum CodingKeys: String, CodingKey {
        case checkpoint = "digits-mlp.ckpt"
      }
    }
    let data = try Data(contentsOf: URL(filePath: Repository.reference("files.json")))
    let reference = try JSONDecoder().decode(Files.self, from: data).checkpoint
    let folder = try TemporaryFolder()
    try ProgramRun(
      "digits",
      [
        "fit", "--resume", Repository.reference("digits-mlp.ckpt"), "--optimizer", "adamw", "--lr", "0.001",
        "--schedule", "step", "--no-shuffle", "--max-steps", "\(reference.steps + reference.nextLosses.count)",
        "--output", folder.path, "--json",
      ]
    ).succeeded()
    let rows = try MetricsFile("\(folder.path)/metrics.csv").rows("train/loss")
    #expect(rows.map(\.step) == [5, 6, 7])
    #expect(rows.map(\.epoch) == [0, 0, 0])
    for (row, expected) in zip(rows, reference.nextLosses) {
      expectClose(row.value, expected, within: 1e-5, "loss of step \(row.step)")
    }
  }
}

import Foundation
import Testing
import Torch

@Suite("The result does not depend on the number of processes")
struct WorldSizeTests {
  /// The same 48 samples in each step, on 1, 2 and 3 ranks.
  private struct Runs {
    let folders: [TemporaryFolder]

    init() throws {
      folders = try [1, 2, 3].map { ranks in
        let folder = try TemporaryFolder()
        try ProgramRun(
          "digits",
          [
            "fit", "--weights", Repository.reference("w1.safetensors"), "--no-shuffle", "--epochs", "1",
            "--batch-size", "\(48 / ranks)", "--devices", "\(ranks)", "--output", folder.path, "--json",
          ]
        ).succeeded()
        return folder
      }
    }
  }

  @Test("Training on the same global batch, on 1, 2 and 3 ranks")
  func training() throws {
    let runs = try Runs()
    let metrics = try runs.folders.map { try MetricsFile("\($0.path)/metrics.csv") }
    let checkpoints = try runs.folders.map { try CheckpointFile("\($0.path)/last.ckpt") }
    let alone = try metrics[0].values("train/loss")
    #expect(alone.count == 31)
    for other in 1...2 {
      let losses = try metrics[other].values("train/loss")
      #expect(losses.count == alone.count)
      for (step, (found, expected)) in zip(losses, alone).enumerated() {
        expectClose(found, expected, within: 1e-5, "loss of step \(step) on \(other + 1) ranks")
      }
      #expect(try largestDifference(checkpoints[0], checkpoints[other]) < 1e-4)
      #expect(try metrics[other].values("val/accuracy") == metrics[0].values("val/accuracy"))
    }
    try evaluation(of: "\(runs.folders[0].path)/last.ckpt")
    try prediction(of: "\(runs.folders[0].path)/last.ckpt", accuracy: metrics[0].values("val/accuracy")[0])
  }

  private func evaluation(of checkpoint: String) throws {
    let layouts = [(1, 32), (1, 7), (2, 32), (2, 149), (3, 50), (3, 1000)]
    let results = try layouts.map { ranks, batch in
      try ProgramRun(
        "digits",
        ["validate", "--weights", checkpoint, "--devices", "\(ranks)", "--batch-size", "\(batch)", "--json"]
      ).succeeded().json()
    }
    for (layout, result) in zip(layouts, results) {
      #expect(result["samples"]?.number == 297, "\(layout)")
      #expect(result["val/accuracy"]?.number == results[0]["val/accuracy"]?.number, "\(layout)")
      let loss = try #require(result["val/loss"]?.number)
      expectClose(loss, try #require(results[0]["val/loss"]?.number), within: 1e-6, "val/loss of \(layout)")
    }
  }

  private func prediction(of checkpoint: String, accuracy: Double) throws {
    let folder = try TemporaryFolder()
    let tables = try [(1, 32), (2, 32), (3, 10)].map { ranks, batch in
      let run = try ProgramRun(
        "digits",
        [
          "predict", "--weights", checkpoint, "--devices", "\(ranks)", "--batch-size", "\(batch)",
          "--predictions", "\(folder.path)/\(ranks).csv", "--json",
        ]
      ).succeeded()
      #expect(try run.json()["samples"]?.number == 297)
      return folder.text("\(ranks).csv")
    }
    #expect(tables[1] == tables[0])
    #expect(tables[2] == tables[0])
    // In the order of the data: the predictions are right as often as the validation found.
    let predicted = tables[0].split(separator: "\n").dropFirst().map { $0.split(separator: ",").map(String.init) }
    try #require(predicted.count == 297)
    #expect(predicted.map { $0[0] } == (0..<297).map(String.init))
    let labels = try DigitLabels.read().dropFirst(1500)
    let right = zip(predicted, labels).filter { $0[1] == $1 }.count
    #expect(Double(right) / 297 == accuracy)
  }

  @Test("Evaluation of fewer samples than there are ranks", arguments: [1, 2, 7])
  func fewSamples(samples: Int) throws {
    let results = try [1, 3].map { ranks in
      try ProbeRun("validate", ranks, "val=\(samples)", "batch=2").succeeded().run.outputLines
    }
    #expect(results[0].count == 3)
    #expect(results[0].last == "samples \(samples)")
    #expect(results[1].first == results[0].first)
    #expect(results[1].last == results[0].last)
  }

  @Test("Rows of floats arrive in the order of the samples, also with fewer samples than ranks", arguments: [1, 2, 7])
  func rows(samples: Int) throws {
    let tables = try [1, 2, 3].map { ranks in
      try ProbeRun("predict", ranks, "val=\(samples)", "batch=2").succeeded().run.outputLines
    }
    #expect(tables[0].count == samples)
    for table in tables { #expect(table.count == samples) }
    for (alone, others) in zip(tables[0], zip(tables[1], tables[2])) {
      let expected = try numbers(alone)
      for found in [others.0, others.1] {
        let difference = zip(try numbers(found), expected).map { abs($0 - $1) }.max()
        #expect(try #require(difference) < 1e-6)
      }
    }
  }

  private func numbers(_ line: String) throws -> [Double] {
    let list = try #require(line.split(separator: "[").last).dropLast()
    return list.split(separator: ",").compactMap { Double($0.trimmingCharacters(in: .whitespaces)) }
  }
}

import Foundation
import Testing
import Torch

@Suite("Whole runs in every precision")
struct PrecisionRunTests {
  private struct Outcome {
    let losses: [Double]
    let weights: [String]
    let scales: [String]
    let run: ProbeRun
  }

  /// 24 samples in batches of 12 over all ranks, three epochs: six steps.
  private func train(_ precision: String, ranks: Int, _ options: String...) throws -> Outcome {
    let run = try ProbeRun(
      "fit", ranks,
      options: ["epochs=3", "batch=\(12 / ranks)", "val=-1", "precision=\(precision)"] + options
    ).succeeded()
    let lines = run.run.outputLines
    return Outcome(
      losses: try run.metrics.values("train/loss"), weights: run.weightSums,
      scales: lines.filter { $0.contains("scale: ") }.map { String($0[$0.range(of: "scale: ")!.upperBound...]) },
      run: run)
  }

  static let cases = [
    ("64-true", 1e-6, 1e-12), ("64", 1e-6, 1e-12), ("32-true", 1e-7, 1e-6), ("bf16-mixed", 0.01, 0.01),
    ("16-mixed", 0.01, 0.01), ("scaled", 0.002, 0.002), ("bf16-true", 0.03, 0.03), ("16-true", 0.004, 0.004),
  ]

  @Test("The losses are about those of float32, and the same on 1 and 2 ranks", arguments: cases)
  func formats(_ precision: String, _ toFloat32: Double, _ toOtherSize: Double) throws {
    let plain = try train("32-true", ranks: 1)
    let runs = try [1, 2].map { try train(precision, ranks: $0) }
    #expect(plain.losses.count == 6)
    for run in runs {
      #expect(run.losses.count == 6)
      for (found, expected) in zip(run.losses, plain.losses) { expectClose(found, expected, within: toFloat32) }
      #expect(Set(run.weights).count == 1, "ranks differ")
      #expect(run.scales == (precision == "scaled" ? Array(repeating: "65536.0 6", count: run.weights.count) : []))
    }
    for (found, expected) in zip(runs[1].losses, runs[0].losses) { expectClose(found, expected, within: toOtherSize) }
    #expect(runs[1].weights.count == 2)
    if !["32-true", "64-true", "64"].contains(precision) { #expect(runs[0].losses != plain.losses) }
    let warns = (runs[0].run.run.outputLines + runs[0].run.run.errors.split(separator: "\n").map(String.init))
      .contains { $0.contains("the run uses 'bf16-mixed' instead") }
    #expect(warns == (precision == "16-mixed"))
  }

  @Test("Clipping sees gradients without the scale", arguments: [1, 2])
  func clipping(_ ranks: Int) throws {
    let plain = try train("32-true", ranks: ranks, "clip-norm=0.05")
    let free = try train("32-true", ranks: ranks)
    let scaled = try train("scaled", ranks: ranks, "clip-norm=0.05")
    for (found, expected) in zip(scaled.losses, plain.losses) { expectClose(found, expected, within: 3e-4) }
    #expect(abs(plain.losses[5] - free.losses[5]) > 0.001 * free.losses[5], "clipping makes no difference")
  }

  @Test("A gradient that overflows on one rank leaves out the step on all of them")
  func overflow() throws {
    let run = try train("scaled", ranks: 2, "fault=overflow", "rank=1", "at=1")
    #expect(Set(run.weights).count == 1)
    #expect(run.scales == ["32768.0 4", "32768.0 4"])
    let steps = try CheckpointFile("\(run.run.folder.path)/checkpoints/last.ckpt").step
    #expect(steps == 6)
  }

  @Test("The scale finds its size, and goes on from a checkpoint", arguments: [1, 2])
  func scale(_ ranks: Int) throws {
    let options = ["scale=1e12", "growth-interval=4"]
    let whole = try train("scaled", ranks: ranks, options[0], options[1])
    let first = try #require(whole.scales.first)
    #expect(whole.scales == Array(repeating: first, count: ranks))
    let parts = try #require(Double(first.split(separator: " ")[0]))
    #expect(parts < 1e12 / 4, "\(first)")

    let begun = try ProbeRun(
      "fit", ranks, options: ["epochs=2", "batch=\(12 / ranks)", "val=-1", "precision=scaled"] + options
    ).succeeded()
    let path = "\(begun.folder.path)/checkpoints/last.ckpt"
    let state = try #require(try CheckpointFile(path).contents["MixedPrecision"]?.dictionaryValue)
    #expect(state["growth_interval"]?.intValue == 4)
    let resumed = try train("scaled", ranks: ranks, "resume=\(path)", "growth-interval=7")
    #expect(resumed.scales == whole.scales)
    #expect(resumed.weights == whole.weights)
  }
}

import Foundation
import Testing
import Torch

@Suite("Runs with synchronized batch normalization")
struct SyncBatchNormRunTests {
  private func train(_ ranks: Int, _ options: String...) throws -> (ProbeRun, CheckpointFile) {
    let run = try ProbeRun(
      "fit", ranks, options: ["model=normalized", "epochs=3", "train=48", "batch=\(12 / ranks)"] + options
    ).succeeded()
    return (run, try CheckpointFile("\(run.folder.path)/checkpoints/last.ckpt"))
  }

  @Test("On 2 and 3 ranks weights, statistics and losses are those of one process with the whole batch")
  func training() throws {
    let (alone, expected) = try train(1)
    let losses = try alone.metrics.values("train/loss")
    #expect(losses.count == 12)
    for ranks in [2, 3] {
      let (run, found) = try train(ranks, "sync-batch-norm")
      #expect(try largestDifference(found, expected) < 2e-6, "\(ranks) ranks")
      for (loss, expected) in zip(try run.metrics.values("train/loss"), losses) {
        expectClose(loss, expected, within: 2e-6)
      }
      for name in ["val/loss", "val/accuracy"] {
        for (value, expected) in zip(try run.metrics.values(name), try alone.metrics.values(name)) {
          #expect(abs(value - expected) < 1e-5, "\(name)")
        }
      }
      #expect(Set(run.weightSums).count == 1)
      let (_, apart) = try train(ranks)
      #expect(try largestDifference(apart, expected) > 1e-3, "synchronizing makes no difference")
    }
    // One process has no one to work with.
    #expect(try largestDifference(train(1, "sync-batch-norm").1, expected) == 0)
  }

  @Test("In other precisions", arguments: [("64-true", 1e-12), ("bf16-mixed", 0.02), ("bf16-true", 0.05)])
  func precision(_ name: String, _ tolerance: Double) throws {
    let (alone, _) = try train(1, "precision=\(name)")
    let losses = try alone.metrics.values("train/loss")
    #expect(losses.count == 12)
    for ranks in [2, 3] {
      let (run, _) = try train(ranks, "precision=\(name)", "sync-batch-norm")
      for (loss, expected) in zip(try run.metrics.values("train/loss"), losses) {
        expectClose(loss, expected, within: tolerance, name)
      }
      #expect(Set(run.weightSums).count == 1)
    }
  }

  @Test(
    "The layers are synchronized in a fit alone, and their own again after it",
    arguments: ["sync", "layer-sync-plugin"])
  func scope(_ way: String) throws {
    let option = way == "sync" ? "sync-batch-norm" : way
    let run = try ProbeRun("layer-sync", 2, "epochs=1", option).succeeded()
    for (place, expected) in [
      ("training", true), ("validation of a fit", true), ("after the fit", false), ("validation", false),
    ] {
      let lines = run.run.outputLines.filter { $0.contains("\(place): synchronized") }
      #expect(lines.count == 2, "\(place): \(lines)")
      for line in lines { #expect(line.hasSuffix("synchronized \(expected)"), "\(line)") }
    }
  }

  @Test("Also after a fit that failed")
  func failure() throws {
    let run = try ProbeRun("layer-sync", 2, "epochs=1", "sync-batch-norm", "fault=throw", "at=1").succeeded()
    #expect(run.run.outputLines.contains { $0.contains("failed: ") && $0.contains("the user's code fails at batch 1") })
    #expect(run.run.outputLines.contains("after the failure: synchronized false"))
  }
}

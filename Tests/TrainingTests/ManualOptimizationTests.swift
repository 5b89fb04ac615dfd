import Foundation
import Testing

@Suite("Manual optimization")
struct ManualOptimizationTests {
  static let unused = "strategy=ddp_find_unused_parameters_true"

  @Test(
    "Two optimizers equal PyTorch's, step by step",
    arguments: [("plain", []), ("window", ["window=2"]), ("clip", ["clip=0.05"])])
  func numbers(name: String, options: [String]) throws {
    let reference = try LoopReference.load()
    let expected = try #require(reference.gan[name])
    let folder = try TemporaryFolder()
    let run = try LoopRun(
      "gan", options: ["epochs=3", "val=-1", "weights=\(folder.path)/weights"] + options, folder: folder
    ).succeeded()
    let metrics = try run.probe.metrics
    for (metric, losses) in [("generator/loss", expected.generator), ("discriminator/loss", expected.discriminator)] {
      let found = try metrics.values(metric)
      try #require(found.count == losses?.count)
      for (index, loss) in (losses ?? []).enumerated() {
        expectClose(found[index], loss, within: 10 * reference.relativeTolerance, "\(metric) \(index)")
      }
    }
    try reference.compare("\(folder.path)/weights", with: expected)
  }

  @Test("Two ranks equal one, with the gradients of a window kept on their ranks", arguments: ["plain", "window"])
  func ranks(name: String) throws {
    let reference = try LoopReference.load()
    let folder = try TemporaryFolder()
    let options = ["epochs=3", "val=-1", "batch=2", Self.unused, "weights=\(folder.path)/weights"]
    let run = try LoopRun(
      "gan", 2, options: options + (name == "window" ? ["window=2"] : []), folder: folder
    ).succeeded()
    try reference.compare("\(folder.path)/weights", with: #require(reference.gan[name]))
    #expect(run.events(0, "steps") == run.events(1, "steps"))
  }

  @Test("Every step of an optimizer counts")
  func steps() throws {
    let run = try LoopRun("gan", 1, "epochs=1", "val=-1").succeeded()
    #expect(run.events(0, "batch") == (0..<6).map { "batch \($0) step=\(2 * $0 + 2)" })
    let limited = try LoopRun("gan", 1, "steps=4", "val=-1").succeeded()
    #expect(limited.events(0, "steps") == ["steps 4"])
  }

  @Test("Resuming with two optimizers and schedules goes on to the bit", arguments: [1, 2])
  func resuming(ranks: Int) throws {
    let folder = try TemporaryFolder()
    let common = ["val=-1", "batch=\(4 / ranks)", Self.unused]
    let options = ranks == 1 ? Array(common.dropLast()) : common
    try LoopRun("gan", ranks, options: options + ["epochs=3", "weights=\(folder.path)/whole"]).succeeded()
    let first = try LoopRun("gan", ranks, options: options + ["steps=16", "every-steps=16"]).succeeded()
    let rest = ["resume=\(first.path)/checkpoints/last.ckpt", "epochs=3", "weights=\(folder.path)/resumed"]
    try LoopRun("gan", ranks, options: options + rest).succeeded()
    let difference = try largestDifference(
      CheckpointFile("\(folder.path)/whole"), CheckpointFile("\(folder.path)/resumed"))
    #expect(difference == 0)
  }

  @Test("Gradients that a step leaves for the next survive a validation in between")
  func validationBetween() throws {
    let folder = try TemporaryFolder()
    let options = ["epochs=1", "manual", "window=2"]
    try LoopRun("loops", options: options + ["val=-1", "weights=\(folder.path)/plain"]).succeeded()
    try LoopRun("loops", options: options + ["interval=1", "weights=\(folder.path)/validated"]).succeeded()
    let difference = try largestDifference(
      CheckpointFile("\(folder.path)/plain"), CheckpointFile("\(folder.path)/validated"))
    #expect(difference == 0)
  }

  @Test(
    "What does not go together",
    arguments: [
      (["manual", "clip-norm=1"], "clipNorm: 1.0 has no effect on LoopModel, whose optimization is manual"),
      (["manual", "accumulate=2"], "step the optimizer after every 2 batches yourself"),
      (["manual", "accumulation=0:2"], "GradientAccumulationScheduler has no effect on LoopModel"),
      (["two-optimizers"], "LoopModel has 2 optimizers, and the trainer steps one; override automaticOptimization"),
      (["call-manual-backward"], "calls manualBackward(_:), but its optimization is automatic"),
    ])
  func conflicts(options: [String], message: String) throws {
    let run = try LoopRun("loops", options: options + ["epochs=1"])
    #expect(run.probe.status == 1)
    #expect(run.failure.contains(message), "\(run.failure)")
  }
}

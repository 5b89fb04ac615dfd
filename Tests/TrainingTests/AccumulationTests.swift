import Foundation
import Testing

@Suite("Accumulated gradients")
struct AccumulationTests {
  @Test("A schedule of factors equals PyTorch's loop", arguments: [1, 2])
  func schedule(ranks: Int) throws {
    let reference = try LoopReference.load()
    let expected = try #require(reference.accumulated["schedule"])
    let folder = try TemporaryFolder()
    let run = try LoopRun(
      "loops", ranks,
      options: [
        "epochs=4", "val=-1", "accumulation=0:2,2:4,3:1", "batch=\(4 / ranks)", "weights=\(folder.path)/weights",
      ]
    ).succeeded()
    #expect(run.events(0, "train end") == ["train end epoch=4 step=\(expected.steps ?? 0)"])
    try reference.compare("\(folder.path)/weights", with: expected)
  }

  @Test("The factor changes with the epoch, and the last window of an epoch may be short")
  func steps() throws {
    let run = try LoopRun("loops", 1, "epochs=2", "val=-1", "train=20", "accumulation=1:4").succeeded()
    let steps = run.events(0, "batch").compactMap { $0.split(separator: "=").last.flatMap { Int($0) } }
    #expect(steps == [1, 2, 3, 4, 5, 5, 5, 5, 6, 7])
  }

  @Test("A resumed run has the factor of its epoch")
  func resuming() throws {
    let folder = try TemporaryFolder()
    let options = ["val=-1", "accumulation=0:2,1:3"]
    try LoopRun("loops", options: options + ["epochs=2", "weights=\(folder.path)/whole"]).succeeded()
    let first = try LoopRun("loops", options: options + ["steps=4", "every-steps=4"]).succeeded()
    let rest = ["epochs=2", "resume=\(first.path)/checkpoints/last.ckpt", "weights=\(folder.path)/resumed"]
    try LoopRun("loops", options: options + rest).succeeded()
    let difference = try largestDifference(
      CheckpointFile("\(folder.path)/whole"), CheckpointFile("\(folder.path)/resumed"))
    #expect(difference == 0)
  }

  @Test("Another fit starts with the trainer's own factor")
  func secondFit() throws {
    let run = try LoopRun("loops", 1, "epochs=2", "val=-1", "accumulation=1:3", "stages=fit,fit-again").succeeded()
    let lines = run.events(0, "epoch ").filter { !$0.hasPrefix("epoch end") }
    #expect(lines[2] == "epoch 0 accumulate=1")
  }

  @Test(
    "Bad input",
    arguments: [
      (["accumulation=0:0"], "0 batches from epoch 0 on; count epochs from 0 and give at least 1 batch"),
      (["accumulation=-1:2"], "2 batches from epoch -1 on; count epochs from 0"),
      (
        ["accumulation=0:2", "accumulate=2"],
        "accumulate: 2 and a GradientAccumulationScheduler are both given; choose one"
      ),
    ])
  func badInput(options: [String], message: String) throws {
    let run = try LoopRun("loops", options: options + ["epochs=1"])
    #expect(run.probe.status == 1)
    #expect(run.failure.contains(message), "\(run.failure)")
  }
}

import Foundation
import Testing

@Suite("Stochastic weight averaging")
struct WeightAveragingTests {
  private static let options = ["epochs=5", "swa=0.05", "rates", "val=-1"]

  @Test(
    "The mean and the learning rates are PyTorch's",
    arguments: [
      ("cosine", [], 1), ("linear", ["annealing-form=linear"], 1), ("norm", ["batch-norm"], 1), ("cosine", [], 2),
    ])
  func numbers(name: String, options: [String], ranks: Int) throws {
    let reference = try LoopReference.load()
    let expected = try #require(reference.averaged[name])
    let folder = try TemporaryFolder()
    let own = ["weights=\(folder.path)/weights", "batch=\(4 / ranks)"]
    let run = try LoopRun("loops", ranks, options: Self.options + options + own).succeeded()
    try reference.compare("\(folder.path)/weights", with: expected)
    // The rate in force in the first batch of each epoch.
    let rates = run.events(0, "batch 0 ").compactMap { $0.split(separator: "=").last.flatMap { Double($0) } }
    try #require(rates.count == expected.rates?.count)
    for (found, rate) in zip(rates, expected.rates ?? []) { expectClose(found, rate, within: 1e-12) }
    #expect(run.probe.run.errors.contains("the model holds the mean of 4 epochs"))
  }

  @Test("The statistics of batch normalization are those of all ranks")
  func statistics() throws {
    let folder = try TemporaryFolder()
    let own = ["batch-norm", "batch=2", "weights=\(folder.path)/weights", "report-statistics"]
    let run = try LoopRun("loops", 2, options: Self.options + own).succeeded()
    #expect(run.events(0, "statistics") == run.events(1, "statistics"))
    #expect(run.events(0, "statistics").count == 1)
  }

  @Test(
    "Resuming before and inside the averaging goes on to the bit",
    arguments: [
      ("steps=4", 1), ("steps=6", 1), ("steps=8", 1), ("steps=15", 1), ("steps=18", 1), ("steps=29", 1),
      ("steps=15", 2),
    ])
  func resuming(limit: String, ranks: Int) throws {
    let folder = try TemporaryFolder()
    let common = Self.options + ["schedule=step", "batch=\(4 / ranks)", "batch-norm"]
    let whole = ["weights=\(folder.path)/whole"]
    let all = try LoopRun("loops", ranks, options: common + whole).succeeded()
    // What is saved at the end of a fit that ended early is not the mean.
    let first = try LoopRun("loops", ranks, options: common + [limit, "checkpoints=yes"]).succeeded()
    let rest = ["resume=\(first.path)/checkpoints/last.ckpt", "weights=\(folder.path)/resumed"]
    let run = try LoopRun("loops", ranks, options: common + rest).succeeded()
    let difference = try largestDifference(
      CheckpointFile("\(folder.path)/whole"), CheckpointFile("\(folder.path)/resumed"))
    #expect(difference == 0)
    #expect(run.events(0, "batch").last == all.events(0, "batch").last)
  }

  @Test(
    "Averages of partitioned weights: the numbers, and resuming before and inside the averaging",
    arguments: [
      ("fsdp", "sharded", "steps=15"), ("deepspeed_stage_2", "full", "steps=18"), ("ddp", "sharded", "steps=6"),
    ])
  func partitioned(strategy: String, form: String, limit: String) throws {
    let folder = try TemporaryFolder()
    let common = Self.options + ["schedule=step", "batch=2", "batch-norm"]
    try LoopRun("loops", 2, options: common + ["weights=\(folder.path)/whole"]).succeeded()
    let own = common + ["strategy=\(strategy)", "state=\(form)"]
    let first = try LoopRun("loops", 2, options: own + [limit, "checkpoints=yes"]).succeeded()
    let rest = ["resume=\(first.path)/checkpoints/last.ckpt"]
    for (name, options) in [("again", own), ("plain", common)] {
      try LoopRun("loops", 2, options: options + rest + ["weights=\(folder.path)/\(name)"]).succeeded()
      let difference = try largestDifference(
        CheckpointFile("\(folder.path)/whole"), CheckpointFile("\(folder.path)/\(name)"))
      #expect(difference < 1e-5, "\(name)")
    }
  }

  @Test("A second fit starts from nothing")
  func secondFit() throws {
    let run = try LoopRun("loops", options: Self.options + ["stages=fit,fit-again"]).succeeded()
    let lines = run.events(0, "batch")
    #expect(lines.count == 60)
    #expect(Array(lines.prefix(30)) == Array(lines.suffix(30)))
  }

  @Test(
    "Bad input",
    arguments: [
      (
        ["epochs=2", "swa=0.05", "swa-start=2"], "it would start with epoch 2 of 2; start within the epochs of the run"
      ),
      (["epochs=2", "swa=0"], "learningRate is 0.0, annealingEpochs 2"),
      (["epochs=2", "swa=0.1", "annealing=-1"], "learningRate is 0.1, annealingEpochs -1"),
      (["steps=8", "swa=0.1"], "the number of epochs is not known; give until: .epochs(n)"),
      (["epochs=2", "swa=0.1", "manual", "two-optimizers"], "the module has several optimizers or schedules"),
    ])
  func badInput(options: [String], message: String) throws {
    let run = try LoopRun("loops", options: options)
    #expect(run.probe.status == 1)
    #expect(run.failure.contains("stochastic weight averaging cannot be used: " + message), "\(run.failure)")
  }
}

import Foundation
import Testing
import Torch

@Suite("Steps that cannot be used")
struct BadStepTests {
  @Test("A loss that is not a number: step and rank; earlier checkpoints stay", arguments: [(1, 0), (2, 0), (3, 2)])
  func notANumber(ranks: Int, rank: Int) throws {
    let run = try ProbeRun("fit", ranks, "epochs=3", "train=24", "fault=nan", "at=1", "at-epoch=1", "rank=\(rank)")
    #expect(run.status == 1)
    let step = 24 / 4 / ranks + 1
    let sentence =
      "the loss is nan in epoch 1, batch 1 (step \(step)) on rank \(rank): lower the learning rate, clip gradients "
      + "(clipNorm), or look for bad input; `nonFiniteLoss: .ignore` trains on"
    #expect(run.run.errors.contains((rank == 0 ? "" : "rank \(rank) failed: ") + sentence + "\n"))
    #expect(run.run.errors.components(separatedBy: "the loss is").count == 2)
    #expect(try CheckpointFile("\(run.folder.path)/checkpoints/last.ckpt").step == step - 1)
    #expect(run.folder.names(in: "checkpoints") == ["last.ckpt"])
  }

  @Test("A learning rate that makes training explode", arguments: [1, 2])
  func explodes(ranks: Int) throws {
    let folder = try TemporaryFolder()
    let run = try ProgramRun(
      "digits", ["fit", "--lr", "1e30", "--devices", "\(ranks)", "--output", folder.path, "--json"])
    #expect(run.status == 1)
    #expect(run.output == "")
    #expect(
      run.failure.contains("the loss is nan in epoch 0, batch 1 (step 1) on rank ")
        || run.failure.contains("the loss is inf in epoch 0, batch 1 (step 1) on rank "))
    #expect(!folder.names().contains { $0.hasSuffix(".ckpt") })
  }

  @Test("Shapes that do not fit: operation, shapes, and the user's line", arguments: [(1, 0), (2, 1)])
  func shapes(ranks: Int, rank: Int) throws {
    let run = try ProbeRun("fit", ranks, "epochs=1", "fault=shape", "at=1", "rank=\(rank)")
    #expect(run.status == 1)
    let file = "\(Repository.root)/Tests/Support/training-probe/ProbeModel.swift"
    let lines = try String(contentsOfFile: file, encoding: .utf8).components(separatedBy: "\n")
    let line = try #require(lines.firstIndex { $0.contains("input.matmul(weight)") }) + 1
    #expect(
      run.run.errors.contains(
        (rank == 0 ? "" : "rank \(rank) failed: ")
          + "matmul(self: [4, 4] float32, other: [5, 3] float32): mat1 and mat2 shapes cannot be multiplied "
          + "(4x4 and 5x3)\n  at \(file):\(line)\n"), "\(run.run.errors)")
  }

  @Test("Ranks with different numbers of batches")
  func unequalBatches() throws {
    let run = try ProbeRun("fit", 3, "epochs=1", "ragged")
    #expect(run.status == 1)
    #expect(
      run.failure
        == "the ranks have different numbers of training batches (2, 4, 6): let the trainer deal the samples, "
        + "or make the loaders equally long")
  }

  @Test(
    "Metrics that only some ranks log",
    arguments: [("extra-metric", 1, "extra"), ("extra-metric", 0, "extra"), ("extra-in-validation", 1, "val/extra")])
  func extraMetric(fault: String, rank: Int, name: String) throws {
    let run = try ProbeRun("fit", 2, "epochs=1", "val=16", "fault=\(fault)", "rank=\(rank)", "at=1")
    #expect(run.status == 1)
    #expect(
      run.failure == "the ranks logged different metrics: rank 1 differs in \(name); log the same names on every rank, "
        + "also when a value is zero")
  }

  @Test("As many metrics on each rank, but others")
  func otherMetric() throws {
    let run = try ProbeRun("fit", 2, "epochs=1", "fault=late-metric", "at=1")
    #expect(run.status == 1)
    #expect(run.failure.hasPrefix("the ranks logged different metrics: rank 1 differs in "))
    #expect(run.failure.contains("b"))
  }

  @Test("A skipped batch is left out on one rank, and an error on several")
  func skipped() throws {
    let alone = try ProbeRun("fit", 1, "epochs=1", "fault=skip", "at=1").succeeded()
    #expect(try alone.metrics.values("train/loss").count == 6)
    let run = try ProbeRun("fit", 2, "epochs=1", "fault=skip", "at=1", "rank=1")
    #expect(run.status == 1)
    #expect(run.run.errors.contains("rank 1 failed: trainingStep of ProbeModel skipped batch 1 on rank 1: "))
  }

  @Test("A loss that is no single number")
  func vector() throws {
    let run = try ProbeRun("fit", 1, "epochs=1", "fault=vector")
    #expect(run.status == 1)
    #expect(
      run.failure == "trainingStep of ProbeModel returned a loss of shape [4]; return one number, such as its mean()")
  }

  @Test("A prediction that has no row for each sample")
  func prediction() throws {
    let run = try ProbeRun("predict", 2, "scalar-prediction")
    #expect(run.status == 1)
    #expect(run.run.errors.contains("predictStep of ProbeModel returned shape [] for "))
  }

  @Test("What a model or its data lack", arguments: [1, 2])
  func lacking(ranks: Int) throws {
    let cases = [
      (
        "model=no-optimizer",
        "ModelWithoutOptimizer has no optimizer; override configureOptimizers(), for example "
          + "`OptimizerPlan(SGD(self, learningRate: 0.1))`"
      ),
      (
        "model=no-training-step",
        "ModelWithoutTrainingStep has no training step; override trainingStep(_:at:) and return .loss(...)"
      ),
      (
        "model=no-evaluation",
        "there is validation data, but ModelWithoutEvaluation has no validation step; override "
          + "validationStep(_:at:), or return nil from validationLoader()"
      ),
      ("no-training-data", "fit needs training data: override trainingLoader() of ProbeData"),
      (
        "train=0",
        "an epoch has no batches: 0 samples on each rank, batch size 4; use a smaller batch size or more data"
      ),
    ]
    for (option, message) in cases {
      let run = try ProbeRun("fit", ranks, "epochs=1", option)
      #expect(run.status == 1)
      #expect(run.failure == message)
      #expect(run.folder.names(in: "checkpoints") == [])
    }
  }

  @Test("A batch larger than the data")
  func noWholeBatch() throws {
    let run = try ProgramRun("digits", ["fit", "--batch-size", "2000", "--output", "/tmp/never-written"])
    #expect(run.status == 1)
    #expect(run.failure == "--batch-size is 2000, more than the training samples of a rank; give a smaller number")
  }
}

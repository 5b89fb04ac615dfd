import Foundation
import Testing

@Suite("Hooks that fail")
struct FailingHookTests {
  private static let hooks = [
    "prepareData", "data setup", "setup", "configureModel", "configureOptimizers", "onFitStart", "onTrainStart",
    "onTrainEpochStart", "onBeforeBatchTransfer", "onTrainBatchStart", "trainingStep", "onBeforeZeroGradients",
    "onBeforeBackward", "onAfterBackward", "onBeforeOptimizerStep", "onTrainBatchEnd", "onValidationModelEval",
    "onValidationStart", "onValidationBatchStart", "validationStep", "onValidationEpochEnd", "onValidationEnd",
    "onTrainEpochEnd", "onTrainEnd", "onFitEnd",
  ]

  private static let torn = ["module teardown fit", "data teardown fit"]

  private static func important(_ run: LoopRun, _ rank: Int = 0) -> [String] {
    run.events(rank).filter { line in
      ["module", "data", "caught", "fitted"].contains { line.hasPrefix($0) }
    }
  }

  @Test("The run ends with the error, everything is torn down, and the module can be fitted again", arguments: hooks)
  func alone(hook: String) throws {
    let run = try LoopRun("failing-hooks", 1, "epochs=1", "train=8", "fail=\(hook)").succeeded()
    #expect(
      Self.important(run)
        == Self.torn + ["caught \(hook) fails", "module has no trainer"] + Self.torn + ["fitted 2"])
  }

  @Test(
    "One of two ranks fails: both end, with the error of that rank",
    arguments: [
      "setup", "configureModel", "onTrainStart", "onTrainBatchStart", "onBeforeOptimizerStep", "onTrainBatchEnd",
      "onValidationStart", "onValidationEnd", "onTrainEpochEnd", "onFitEnd",
    ], [0, 1])
  func together(hook: String, rank: Int) throws {
    let run = try LoopRun("failing-hooks", 2, "epochs=1", "train=16", "fail=\(hook)", "rank=\(rank)")
    #expect(run.probe.status == 1)
    #expect(run.failure.contains("\(rank == 0 ? "" : "rank 1 failed: ")\(hook) fails"), "\(run.probe.run.errors)")
    #expect(Self.important(run).prefix(2) == Self.torn[...])
    #expect(run.events(rank).contains("module teardown fit"))
  }

  @Test("An operation that fails in a hook that cannot throw", arguments: [1, 2])
  func teardown(ranks: Int) throws {
    let run = try LoopRun("failing-hooks", ranks, "epochs=1", "fail=teardown", "rethrow")
    #expect(run.probe.status == 1)
    #expect(run.failure.contains("matmul(self: [2] float32, other: [3] float32)"))
  }

  @Test(
    "Evaluation and prediction",
    arguments: [
      ("validate", "onValidationEpochEnd"), ("validate", "setup"), ("test", "onTestEpochEnd"),
      ("predict", "onPredictEnd"), ("predict", "configureModel"),
    ])
  func otherStages(stage: String, hook: String) throws {
    let run = try LoopRun("failing-hooks", 1, "epochs=1", "train=8", "stage=\(stage)", "fail=\(hook)").succeeded()
    #expect(
      Self.important(run) == [
        "module teardown \(stage)", "data teardown \(stage)", "caught \(hook) fails", "module has no trainer",
      ] + Self.torn + ["fitted 2"])
  }
}

import Foundation
import Testing

@Suite("The order of hooks")
struct HookTests {
  /// Both the callbacks and the module are called, in this order.
  private static func pair(_ hook: String) -> String { "callback \(hook)\nmodule \(hook)\n" }

  private static func batch(_ index: Int) -> String {
    pair("onTrainBatchStart \(index)") + "module trainingStep \(index) training=true\n"
      + pair("onBeforeZeroGradients") + pair("onBeforeBackward") + pair("onAfterBackward")
      + pair("onBeforeOptimizerStep") + pair("onTrainBatchEnd \(index)")
  }

  private static let validation =
    pair("onValidationStart") + "module validationStep 0 training=false\nmodule validationStep 1 training=false\n"
    + pair("onValidationEnd")

  private static func begin(_ stage: String, prepares: Bool = true) -> String {
    (prepares ? "data prepareData\n" : "") + "data setup \(stage)\n" + pair("setup \(stage)")
  }

  private static func end(_ stage: String) -> String { pair("teardown \(stage)") + "data teardown \(stage)\n" }

  private static func stages(prepares: Bool = true) -> String {
    let epoch =
      pair("onTrainEpochStart") + batch(0) + batch(1) + validation + pair("onTrainEpochEnd")
      + pair("onSaveCheckpoint")
    var text = begin("fit", prepares: prepares) + "module configureOptimizers\n" + pair("onFitStart")
    text += "callback onSanityCheckStart\n" + pair("onValidationStart") + "module validationStep 0 training=false\n"
    text += pair("onValidationEnd") + "callback onSanityCheckEnd\n"
    text += pair("onTrainStart") + epoch + epoch + pair("onTrainEnd") + pair("onFitEnd") + end("fit")
    text += begin("validate", prepares: prepares) + validation + end("validate")
    text += begin("test", prepares: prepares) + pair("onTestStart")
    for index in 0...1 {
      text += "module testStep \(index) training=false\nmodule validationStep \(index) training=false\n"
    }
    text += pair("onTestEnd") + end("test")
    text += begin("predict", prepares: prepares) + pair("onPredictStart")
    text += "module predictStep 0 training=false\nmodule predictStep 1 training=false\n"
    return text + pair("onPredictEnd") + end("predict")
  }

  @Test("fit with validation, validate, test and predict", arguments: [1, 2])
  func order(ranks: Int) throws {
    let options = ["epochs=2", "train=\(8 * ranks)", "val=\(8 * ranks)", "sanity=1", "hooks"]
    let run = try ProbeRun("stages", ranks, options: options).succeeded()
    #expect(run.folder.text("hooks.0") == Self.stages())
    // Data is prepared once a node.
    if ranks == 2 { #expect(run.folder.text("hooks.1") == Self.stages(prepares: false)) }
  }

  @Test("Accumulated batches zero the gradients once and step once")
  func accumulation() throws {
    let run = try ProbeRun("fit", 1, "epochs=1", "train=12", "val=-1", "accumulate=2", "hooks").succeeded()
    let names = ["onBeforeZeroGradients", "onBeforeOptimizerStep", "onTrainBatchEnd"]
    let hooks = run.folder.text("hooks.0").split(separator: "\n").filter { $0.hasPrefix("module") }
      .map { String($0.dropFirst(7)) }.filter { hook in names.contains { hook.hasPrefix($0) } }
    #expect(
      hooks == [
        "onBeforeZeroGradients", "onTrainBatchEnd 0", "onBeforeOptimizerStep", "onTrainBatchEnd 1",
        "onBeforeZeroGradients", "onBeforeOptimizerStep", "onTrainBatchEnd 2",
      ])
  }

  @Test("Resuming loads before training, and begins with the batch that comes next")
  func resuming() throws {
    let first = try ProbeRun("fit", 1, "steps=1", "train=8", "val=-1").succeeded()
    let checkpoint = "resume=\(first.folder.path)/checkpoints/last.ckpt"
    let run = try ProbeRun("fit", 1, "epochs=1", "train=8", "val=-1", checkpoint, "hooks").succeeded()
    #expect(
      run.folder.text("hooks.0")
        == Self.begin("fit") + Self.pair("onLoadCheckpoint") + "module configureOptimizers\n" + Self.pair("onFitStart")
        + Self.pair("onTrainStart") + Self.pair("onTrainEpochStart") + Self.batch(1) + Self.pair("onTrainEpochEnd")
        + Self.pair("onSaveCheckpoint") + Self.pair("onTrainEnd") + Self.pair("onFitEnd") + Self.end("fit"))
  }

  @Test("After a failure everything is torn down and the callbacks hear of it", arguments: [1, 2])
  func failure(ranks: Int) throws {
    let run = try ProbeRun("fit", ranks, "epochs=1", "train=16", "fault=throw", "at=1", "rank=0", "hooks")
    #expect(run.status == 1)
    let hooks = run.folder.text("hooks.0").split(separator: "\n").map(String.init)
    let failed = try #require(hooks.firstIndex { $0.hasPrefix("module trainingStep 1 ") })
    #expect(
      Array(hooks[(failed + 1)...]) == [
        "callback teardown fit", "module teardown fit", "data teardown fit",
        "callback onException the user's code fails at batch 1",
      ])
  }

  @Test("A failure in validation")
  func failureInValidation() throws {
    let run = try ProbeRun("fit", 2, "epochs=1", "val=16", "fault=throw-in-validation", "at=1", "rank=1", "hooks")
    #expect(run.status == 1)
    #expect(run.run.errors.contains("rank 1 failed: the user's validation fails at batch 1"))
    let hooks = run.folder.text("hooks.1").split(separator: "\n").map(String.init)
    #expect(hooks.suffix(4).contains("module teardown fit"))
    #expect(hooks.last == "callback onException the user's validation fails at batch 1")
  }
}

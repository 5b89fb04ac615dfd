import Stratagem

extension ProbeModel {
  func note(_ hook: String) { recorder.note("module \(hook)", rank: trainer?.rank ?? 0) }
}

/// A model whose hooks are recorded.
final class RecordedModel: ProbeModel {
  override func setup(_ stage: Stage) { note("setup \(stage)") }
  override func teardown(_ stage: Stage) { note("teardown \(stage)") }
  override func configureOptimizers() throws -> OptimizerPlan {
    note("configureOptimizers")
    return try super.configureOptimizers()
  }
  override func onFitStart() { note("onFitStart") }
  override func onFitEnd() { note("onFitEnd") }
  override func onTrainStart() { note("onTrainStart") }
  override func onTrainEnd() { note("onTrainEnd") }
  override func onTrainEpochStart() { note("onTrainEpochStart") }
  override func onTrainEpochEnd() { note("onTrainEpochEnd") }
  override func onTrainBatchStart(_ index: Int) { note("onTrainBatchStart \(index)") }
  override func onTrainBatchEnd(_ index: Int) { note("onTrainBatchEnd \(index)") }
  override func onBeforeZeroGradients(_ optimizer: Optimizer) { note("onBeforeZeroGradients") }
  override func onBeforeBackward(_ loss: Tensor) { note("onBeforeBackward") }
  override func onAfterBackward() { note("onAfterBackward") }
  override func onBeforeOptimizerStep(_ optimizer: Optimizer) { note("onBeforeOptimizerStep") }
  override func onValidationStart() { note("onValidationStart") }
  override func onValidationEnd() { note("onValidationEnd") }
  override func onTestStart() { note("onTestStart") }
  override func onTestEnd() { note("onTestEnd") }
  override func onPredictStart() { note("onPredictStart") }
  override func onPredictEnd() { note("onPredictEnd") }
  override func onSaveCheckpoint(_ checkpoint: inout Checkpoint) { note("onSaveCheckpoint") }
  override func onLoadCheckpoint(_ checkpoint: Checkpoint) { note("onLoadCheckpoint") }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    note("trainingStep \(index) training=\(isTraining)")
    return try super.trainingStep(batch, at: index)
  }
  override func validationStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    note("validationStep \(index) training=\(isTraining)")
    return try super.validationStep(batch, at: index)
  }
  override func testStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    note("testStep \(index) training=\(isTraining)")
    return try super.testStep(batch, at: index)
  }
  override func predictStep(_ batch: [Tensor], at index: Int) throws -> Tensor? {
    note("predictStep \(index) training=\(isTraining)")
    return try super.predictStep(batch, at: index)
  }
}

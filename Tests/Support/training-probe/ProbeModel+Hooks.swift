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
  override func onValidationEpochStart() { note("onValidationEpochStart") }
  override func onValidationEpochEnd() { note("onValidationEpochEnd") }
  override func onValidationBatchStart(_ index: Int, loader: Int) { note("onValidationBatchStart \(index)") }
  override func onValidationBatchEnd(_ output: StepOutput, _ index: Int, loader: Int) {
    note("onValidationBatchEnd \(index)")
  }
  override func onTestEpochStart() { note("onTestEpochStart") }
  override func onTestEpochEnd() { note("onTestEpochEnd") }
  override func onTestBatchStart(_ index: Int, loader: Int) { note("onTestBatchStart \(index)") }
  override func onTestBatchEnd(_ output: StepOutput, _ index: Int, loader: Int) { note("onTestBatchEnd \(index)") }
  override func onPredictEpochStart() { note("onPredictEpochStart") }
  override func onPredictEpochEnd() { note("onPredictEpochEnd") }
  override func onPredictBatchStart(_ index: Int, loader: Int) { note("onPredictBatchStart \(index)") }
  override func onPredictBatchEnd(_ prediction: Tensor?, _ index: Int, loader: Int) {
    note("onPredictBatchEnd \(index)")
  }
  override func onValidationModelZeroGradients() throws {
    note("onValidationModelZeroGradients")
    try super.onValidationModelZeroGradients()
  }
  override func onValidationModelEval() throws {
    note("onValidationModelEval")
    try super.onValidationModelEval()
  }
  override func onValidationModelTrain() { note("onValidationModelTrain") }
  override func onTestModelEval() throws {
    note("onTestModelEval")
    try super.onTestModelEval()
  }
  override func onTestModelTrain() { note("onTestModelTrain") }
  override func onPredictModelEval() throws {
    note("onPredictModelEval")
    try super.onPredictModelEval()
  }
  override func onPredictModelTrain() { note("onPredictModelTrain") }
  override func prepareData() { note("prepareData") }
  override func configureModel() { note("configureModel") }
  override func optimizerZeroGradients(_ optimizer: Optimizer) throws {
    note("optimizerZeroGradients")
    try super.optimizerZeroGradients(optimizer)
  }
  override func backward(_ loss: Tensor) throws {
    note("backward")
    try super.backward(loss)
  }
  override func configureGradientClipping(_ optimizer: Optimizer, norm: Double?, value: Double?) throws {
    note("configureGradientClipping")
    try super.configureGradientClipping(optimizer, norm: norm, value: value)
  }
  override func optimizerStep(_ optimizer: Optimizer) throws {
    note("optimizerStep")
    try super.optimizerStep(optimizer)
  }
  override func scheduleStep(_ schedule: LearningRateSchedule, metric: Double?) throws {
    note("scheduleStep")
    try super.scheduleStep(schedule, metric: metric)
  }
  override func onBeforeBatchTransfer(_ batch: [Tensor], loader: Int) -> [Tensor] {
    note("onBeforeBatchTransfer")
    return batch
  }
  override func onAfterBatchTransfer(_ batch: [Tensor], loader: Int) -> [Tensor] {
    note("onAfterBatchTransfer")
    return batch
  }
  override func onSaveCheckpoint(_ checkpoint: inout Checkpoint) { note("onSaveCheckpoint") }
  override func onLoadCheckpoint(_ checkpoint: inout Checkpoint) { note("onLoadCheckpoint") }

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

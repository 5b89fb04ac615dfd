import Stratagem

/// Fails in the hook that `fail` names, on the ranks that `rank` names.
final class FailingModel: LightningModule<[Tensor]> {
  let fc = Linear(4, 3)
  private let options: ProbeOptions
  private let events: EventLog
  var isFailing = true

  init(_ options: ProbeOptions, _ events: EventLog) {
    self.options = options
    self.events = events
  }

  private func pass(_ hook: String) throws {
    let rank = trainer?.rank ?? 0
    if isFailing, options["fail"] == hook, options.int("rank", rank) == rank {
      throw ProbeError(description: "\(hook) fails")
    }
  }

  override func prepareData() throws { try pass("prepareData") }
  override func setup(_ stage: Stage) throws { try pass("setup") }
  override func teardown(_ stage: Stage) {
    events.note("module teardown \(stage)")
    // An operation that fails in a hook that cannot throw.
    if isFailing, options["fail"] == "teardown" { _ = Tensor.ones([2]).matmul(Tensor.ones([3])) }
  }
  override func configureModel() throws { try pass("configureModel") }
  override func configureOptimizers() throws -> OptimizerPlan {
    try pass("configureOptimizers")
    return OptimizerPlan(SGD(self, learningRate: 0.1))
  }
  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    try pass("trainingStep")
    return .loss(Functional.crossEntropy(fc(batch[0]), batch[1]))
  }
  override func validationStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    try pass("validationStep")
    log("val/loss", Functional.crossEntropy(fc(batch[0]), batch[1]))
    return .skipped
  }
  override func predictStep(_ batch: [Tensor], at index: Int) throws -> Tensor? { fc(batch[0]) }
  override func onFitStart() throws { try pass("onFitStart") }
  override func onFitEnd() throws { try pass("onFitEnd") }
  override func onTrainStart() throws { try pass("onTrainStart") }
  override func onTrainEnd() throws { try pass("onTrainEnd") }
  override func onTrainEpochStart() throws { try pass("onTrainEpochStart") }
  override func onTrainEpochEnd() throws { try pass("onTrainEpochEnd") }
  override func onTrainBatchStart(_ index: Int) throws { try pass("onTrainBatchStart") }
  override func onTrainBatchEnd(_ index: Int) throws { try pass("onTrainBatchEnd") }
  override func onBeforeZeroGradients(_ optimizer: Optimizer) throws { try pass("onBeforeZeroGradients") }
  override func onBeforeBackward(_ loss: Tensor) throws { try pass("onBeforeBackward") }
  override func onAfterBackward() throws { try pass("onAfterBackward") }
  override func onBeforeOptimizerStep(_ optimizer: Optimizer) throws { try pass("onBeforeOptimizerStep") }
  override func onBeforeBatchTransfer(_ batch: [Tensor], loader: Int) throws -> [Tensor] {
    try pass("onBeforeBatchTransfer")
    return batch
  }
  override func onValidationStart() throws { try pass("onValidationStart") }
  override func onValidationEnd() throws { try pass("onValidationEnd") }
  override func onValidationEpochEnd() throws { try pass("onValidationEpochEnd") }
  override func onValidationModelEval() throws {
    try pass("onValidationModelEval")
    eval()
  }
  override func onValidationBatchStart(_ index: Int, loader: Int) throws { try pass("onValidationBatchStart") }
  override func onTestEpochEnd() throws { try pass("onTestEpochEnd") }
  override func onPredictEnd() throws { try pass("onPredictEnd") }
}

/// Data whose hooks are noted, or fail.
final class FailingData: LoopData {
  private let events: EventLog
  private var hasFailed = false

  init(_ options: ProbeOptions, _ events: EventLog) {
    self.events = events
    super.init(options)
  }

  override func setup(_ stage: Stage) throws {
    if options["fail"] == "data setup", !hasFailed {
      hasFailed = true
      throw ProbeError(description: "data setup fails")
    }
  }

  override func teardown(_ stage: Stage) { events.note("data teardown \(stage)") }
}

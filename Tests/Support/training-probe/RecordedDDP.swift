import Stratagem
import TorchDistributed

/// `ddp` whose calls are recorded between those of callbacks and module.
final class RecordedDDP: DDPStrategy {
  private let recorder: HookRecorder

  init(_ recorder: HookRecorder, startMethod: StartMethod) {
    self.recorder = recorder
    super.init(startMethod: startMethod)
  }

  private func note(_ call: String) { recorder.note("strategy \(call)", rank: rank) }

  override func setUpEnvironment() throws {
    try super.setUpEnvironment()
    note("setUpEnvironment")
  }
  override func setUp(_ stage: Stage) throws {
    note("setUp \(stage)")
    try super.setUp(stage)
  }
  override func setUpOptimizers() throws {
    note("setUpOptimizers")
    try super.setUpOptimizers()
  }
  override func synchronizeModule() throws {
    note("synchronizeModule")
    try super.synchronizeModule()
  }
  override func configureDDP() throws {
    note("configureDDP")
    try super.configureDDP()
  }
  override func trainingStep(_ step: ModuleStep<StepOutput>, synchronizing: Bool) throws -> StepOutput {
    note("trainingStep synchronizing=\(synchronizing)")
    return try super.trainingStep(step, synchronizing: synchronizing)
  }
  override func validationStep(_ step: ModuleStep<StepOutput>) throws -> StepOutput {
    note("validationStep")
    return try super.validationStep(step)
  }
  override func testStep(_ step: ModuleStep<StepOutput>) throws -> StepOutput {
    note("testStep")
    return try super.testStep(step)
  }
  override func predictStep(_ step: ModuleStep<Tensor?>) throws -> Tensor? {
    note("predictStep")
    return try super.predictStep(step)
  }
  override func prepareForEvaluation() throws {
    note("prepareForEvaluation")
    try super.prepareForEvaluation()
  }
  override func backward(_ loss: Tensor, synchronizing: Bool) throws {
    note("backward synchronizing=\(synchronizing)")
    try super.backward(loss, synchronizing: synchronizing)
  }
  override func optimizerStep(_ optimizer: Optimizer) throws {
    note("optimizerStep")
    try super.optimizerStep(optimizer)
  }
  override func clipGradients(of optimizer: Optimizer, norm: Double?, value: Double?) throws {
    note("clipGradients")
    try super.clipGradients(of: optimizer, norm: norm, value: value)
  }
  override func process<Batch>(_ loader: DataLoader<Batch>, _ policy: Shard.Policy) -> DataLoader<Batch> {
    note("process \(policy)")
    return super.process(loader, policy)
  }
  override func optimizerState() throws -> [ArchiveValue] {
    note("optimizerState")
    return try super.optimizerState()
  }
  override func loadCheckpoint(from path: String, weightsOnly: Bool) throws -> Checkpoint {
    note("loadCheckpoint")
    return try super.loadCheckpoint(from: path, weightsOnly: weightsOnly)
  }
  override func onTrainStart() { note("onTrainStart") }
  override func onTrainEnd() { note("onTrainEnd") }
  override func onTrainBatchStart(_ index: Int) { note("onTrainBatchStart \(index)") }
  override func onValidationStart() { note("onValidationStart") }
  override func onValidationEnd() { note("onValidationEnd") }
  override func onTestStart() { note("onTestStart") }
  override func onTestEnd() { note("onTestEnd") }
  override func onPredictStart() { note("onPredictStart") }
  override func onPredictEnd() { note("onPredictEnd") }
  override func onException(_ error: any Error) { note("onException \(error)") }
  override func tearDown() {
    note("tearDown")
    super.tearDown()
  }
}

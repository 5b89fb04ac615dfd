import Glibc
import Stratagem

/// Writes the hooks of this process to `hooks.RANK` as they are called, a line each.
final class HookRecorder: Callback {
  private let folder: String
  private let isOn: Bool

  init(_ options: ProbeOptions) {
    folder = options.folder
    isOn = options.has("hooks")
  }

  func note(_ line: String, rank: Int) {
    guard isOn else { return }
    let file = open("\(folder)/hooks.\(rank)", O_CREAT | O_WRONLY | O_APPEND, 0o600)
    let text = line + "\n"
    _ = write(file, text, text.utf8.count)
    close(file)
  }

  private func note(_ trainer: Trainer, _ hook: String) { note("callback \(hook)", rank: trainer.rank) }

  override func setup(_ trainer: Trainer, _ stage: Stage) { note(trainer, "setup \(stage)") }
  override func teardown(_ trainer: Trainer, _ stage: Stage) { note(trainer, "teardown \(stage)") }
  override func onFitStart(_ trainer: Trainer) { note(trainer, "onFitStart") }
  override func onFitEnd(_ trainer: Trainer) { note(trainer, "onFitEnd") }
  override func onSanityCheckStart(_ trainer: Trainer) { note(trainer, "onSanityCheckStart") }
  override func onSanityCheckEnd(_ trainer: Trainer) { note(trainer, "onSanityCheckEnd") }
  override func onTrainStart(_ trainer: Trainer) { note(trainer, "onTrainStart") }
  override func onTrainEnd(_ trainer: Trainer) { note(trainer, "onTrainEnd") }
  override func onTrainEpochStart(_ trainer: Trainer) { note(trainer, "onTrainEpochStart") }
  override func onTrainEpochEnd(_ trainer: Trainer) { note(trainer, "onTrainEpochEnd") }
  override func onTrainBatchStart(_ trainer: Trainer, _ index: Int) { note(trainer, "onTrainBatchStart \(index)") }
  override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) { note(trainer, "onTrainBatchEnd \(index)") }
  override func onBeforeZeroGradients(_ trainer: Trainer, _ optimizer: Optimizer) {
    note(trainer, "onBeforeZeroGradients")
  }
  override func onBeforeBackward(_ trainer: Trainer, _ loss: Tensor) { note(trainer, "onBeforeBackward") }
  override func onAfterBackward(_ trainer: Trainer) { note(trainer, "onAfterBackward") }
  override func onBeforeOptimizerStep(_ trainer: Trainer, _ optimizer: Optimizer) {
    note(trainer, "onBeforeOptimizerStep")
  }
  override func onValidationStart(_ trainer: Trainer) { note(trainer, "onValidationStart") }
  override func onValidationEnd(_ trainer: Trainer) { note(trainer, "onValidationEnd") }
  override func onTestStart(_ trainer: Trainer) { note(trainer, "onTestStart") }
  override func onTestEnd(_ trainer: Trainer) { note(trainer, "onTestEnd") }
  override func onPredictStart(_ trainer: Trainer) { note(trainer, "onPredictStart") }
  override func onPredictEnd(_ trainer: Trainer) { note(trainer, "onPredictEnd") }
  override func onValidationEpochStart(_ trainer: Trainer) { note(trainer, "onValidationEpochStart") }
  override func onValidationEpochEnd(_ trainer: Trainer) { note(trainer, "onValidationEpochEnd") }
  override func onValidationBatchStart(_ trainer: Trainer, _ index: Int, loader: Int) {
    note(trainer, "onValidationBatchStart \(index)")
  }
  override func onValidationBatchEnd(_ trainer: Trainer, _ output: StepOutput, _ index: Int, loader: Int) {
    note(trainer, "onValidationBatchEnd \(index)")
  }
  override func onTestEpochStart(_ trainer: Trainer) { note(trainer, "onTestEpochStart") }
  override func onTestEpochEnd(_ trainer: Trainer) { note(trainer, "onTestEpochEnd") }
  override func onTestBatchStart(_ trainer: Trainer, _ index: Int, loader: Int) {
    note(trainer, "onTestBatchStart \(index)")
  }
  override func onTestBatchEnd(_ trainer: Trainer, _ output: StepOutput, _ index: Int, loader: Int) {
    note(trainer, "onTestBatchEnd \(index)")
  }
  override func onPredictEpochStart(_ trainer: Trainer) { note(trainer, "onPredictEpochStart") }
  override func onPredictEpochEnd(_ trainer: Trainer) { note(trainer, "onPredictEpochEnd") }
  override func onPredictBatchStart(_ trainer: Trainer, _ index: Int, loader: Int) {
    note(trainer, "onPredictBatchStart \(index)")
  }
  override func onPredictBatchEnd(_ trainer: Trainer, _ prediction: Tensor?, _ index: Int, loader: Int) {
    note(trainer, "onPredictBatchEnd \(index)")
  }
  override func onException(_ trainer: Trainer, _ error: any Error) { note(trainer, "onException \(error)") }
  override func onInterrupt(_ trainer: Trainer) { note(trainer, "onInterrupt") }
  override func onSaveCheckpoint(_ trainer: Trainer, _ checkpoint: inout Checkpoint) {
    note(trainer, "onSaveCheckpoint")
  }
  override func onLoadCheckpoint(_ trainer: Trainer, _ checkpoint: Checkpoint) { note(trainer, "onLoadCheckpoint") }
}

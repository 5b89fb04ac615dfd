public import Torch
public import TorchOptim

/// Code that runs at named moments of a run. Order and meaning of the moments are those of ``AnyLightningModule``;
/// callbacks come before the module.
open class Callback {
  public init() {}

  /// The name under which the state is kept in checkpoints; different for two callbacks of one kind.
  open var stateKey: String { "\(type(of: self))" }

  /// Whether the callback judges metrics. At the end of a training epoch such callbacks come after the module, so that
  /// they see what it logged.
  open var isMonitoring: Bool { false }

  open func setup(_ trainer: Trainer, _ stage: Stage) throws {}
  open func teardown(_ trainer: Trainer, _ stage: Stage) {}
  open func onFitStart(_ trainer: Trainer) throws {}
  open func onFitEnd(_ trainer: Trainer) throws {}
  open func onSanityCheckStart(_ trainer: Trainer) throws {}
  open func onSanityCheckEnd(_ trainer: Trainer) throws {}
  open func onTrainStart(_ trainer: Trainer) throws {}
  open func onTrainEnd(_ trainer: Trainer) throws {}
  open func onTrainEpochStart(_ trainer: Trainer) throws {}
  open func onTrainEpochEnd(_ trainer: Trainer) throws {}
  open func onTrainBatchStart(_ trainer: Trainer, _ index: Int) throws {}
  open func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {}
  open func onBeforeZeroGradients(_ trainer: Trainer, _ optimizer: Optimizer) throws {}
  open func onBeforeBackward(_ trainer: Trainer, _ loss: Tensor) throws {}
  open func onAfterBackward(_ trainer: Trainer) throws {}
  open func onBeforeOptimizerStep(_ trainer: Trainer, _ optimizer: Optimizer) throws {}
  open func onValidationStart(_ trainer: Trainer) throws {}
  open func onValidationEnd(_ trainer: Trainer) throws {}
  open func onValidationEpochStart(_ trainer: Trainer) throws {}
  open func onValidationEpochEnd(_ trainer: Trainer) throws {}
  open func onValidationBatchStart(_ trainer: Trainer, _ index: Int, loader: Int) throws {}
  open func onValidationBatchEnd(_ trainer: Trainer, _ output: StepOutput, _ index: Int, loader: Int) throws {}
  open func onTestStart(_ trainer: Trainer) throws {}
  open func onTestEnd(_ trainer: Trainer) throws {}
  open func onTestEpochStart(_ trainer: Trainer) throws {}
  open func onTestEpochEnd(_ trainer: Trainer) throws {}
  open func onTestBatchStart(_ trainer: Trainer, _ index: Int, loader: Int) throws {}
  open func onTestBatchEnd(_ trainer: Trainer, _ output: StepOutput, _ index: Int, loader: Int) throws {}
  open func onPredictStart(_ trainer: Trainer) throws {}
  open func onPredictEnd(_ trainer: Trainer) throws {}
  open func onPredictEpochStart(_ trainer: Trainer) throws {}
  open func onPredictEpochEnd(_ trainer: Trainer) throws {}
  open func onPredictBatchStart(_ trainer: Trainer, _ index: Int, loader: Int) throws {}
  /// - Parameter prediction: what the module answered for the batch: a row per sample, or nil.
  open func onPredictBatchEnd(_ trainer: Trainer, _ prediction: Tensor?, _ index: Int, loader: Int) throws {}
  /// A run failed; called on the rank that noticed, without communication.
  open func onException(_ trainer: Trainer, _ error: any Error) {}
  /// A signal asked the run to stop; called between two steps: on rank 0, without communication, or on all ranks where
  /// the strategy partitions the state of training.
  open func onInterrupt(_ trainer: Trainer) throws {}

  /// The state to be kept in checkpoints.
  open func state() -> ArchiveDictionary { [:] }
  open func load(_ state: ArchiveDictionary) throws {}
  /// What the main process has to know when a call ran in processes of its own (`ddp_spawn`, `ddp_fork`): the state for
  /// checkpoints unless overridden. Asked for on all ranks.
  open func carriedState() -> ArchiveDictionary { state() }
  /// Takes over what ``carriedState()`` said on rank 0.
  open func adopt(_ state: ArchiveDictionary) throws { try load(state) }
  open func onSaveCheckpoint(_ trainer: Trainer, _ checkpoint: inout Checkpoint) throws {}
  open func onLoadCheckpoint(_ trainer: Trainer, _ checkpoint: Checkpoint) throws {}
}

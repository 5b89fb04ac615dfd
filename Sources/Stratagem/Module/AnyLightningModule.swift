public import Torch
public import TorchNN
public import TorchOptim

/// What the trainer, strategies and callbacks know of a module: everything but the type of its batches.
///
/// Subclass ``LightningModule``, not this class. Hooks of callbacks come before those of the module, those of the strategy
/// after it:
///
/// ```
/// configureCallbacks
/// prepareData, setup, configureModel, configureOptimizers
/// fit:  onFitStart, (sanity check), onTrainStart
///         per epoch: onTrainEpochStart
///           per batch: onBeforeBatchTransfer, transfer, onAfterBatchTransfer, onTrainBatchStart, trainingStep,
///                      [first of a window: onBeforeZeroGradients, optimizerZeroGradients],
///                      onBeforeBackward, backward, onAfterBackward,
///                      [last of a window: onBeforeOptimizerStep, configureGradientClipping, optimizerStep, scheduleStep],
///                      onTrainBatchEnd
///           validation, after an interval of batches or at the end of the epoch:
///             onValidationModelZeroGradients, onValidationModelEval, onValidationStart, onValidationEpochStart,
///             per batch { transfer hooks, onValidationBatchStart, validationStep, onValidationBatchEnd },
///             onValidationEpochEnd, onValidationEnd, onValidationModelTrain
///         onTrainEpochEnd
///       onTrainEnd, onFitEnd
/// teardown
/// ```
///
/// `validate`, `test` and `predict` have the hooks of the evaluation under their own names.
open class AnyLightningModule: Module {
  /// The trainer that runs this module; nil outside a run.
  public internal(set) final weak var trainer: Trainer?

  public override init() {}

  /// The optimizers, and what changes their learning rates. Called once a fit, after the module is on its device.
  open func configureOptimizers() throws -> OptimizerPlan {
    throw ConfigurationError(
      "configureOptimizers", "\(type(of: self)) has no optimizer",
      suggestion: "override configureOptimizers(), for example `OptimizerPlan(SGD(self, learningRate: 0.1))`")
  }

  /// Callbacks that belong to the module; one takes the place of a callback of the same type in the trainer.
  open func configureCallbacks() -> [Callback] { [] }

  /// Builds layers that are to exist only where they are trained. Called once a run in every process, before weights are
  /// loaded; it must do nothing when the layers are there.
  ///
  /// A model larger than the memory of one process is built in `withDeferredInitialization(_:)`: each rank then makes only
  /// the parts that its strategy keeps there.
  open func configureModel() throws {}

  /// What is worth keeping with the weights: shown by loggers, saved in checkpoints as `hyper_parameters`.
  open var hyperParameterArchive: ArchiveDictionary { [:] }

  // Optimization
  /// Whether the trainer computes gradients and steps the optimizer. With `false` the training step does it by
  /// ``manualBackward(_:)`` and ``optimizers``; needed for several optimizers.
  open var automaticOptimization: Bool { true }

  /// The optimizers of the fit under way, for manual optimization; empty outside a fit.
  public final var optimizers: [LightningOptimizer] { trainer?.strategy.lightningOptimizers ?? [] }

  /// The schedules of the fit under way; with manual optimization the module advances them.
  public final var schedules: [OptimizerPlan.Schedule] { trainer?.strategy.schedules ?? [] }

  /// Computes the gradients of a loss in a training step with manual optimization; they add up to those there are.
  ///
  /// Inside ``Strategy/noSync(_:)`` they stay on this rank.
  public final func manualBackward(_ loss: Tensor) throws {
    guard let trainer else { return loss.backward() }
    guard !automaticOptimization else {
      throw ConfigurationError(
        "manualBackward", "\(type(of: self)) calls manualBackward(_:), but its optimization is automatic",
        suggestion: "override automaticOptimization to be false, or return .loss(...) from the step")
    }
    try trainer.backward(loss, synchronizing: trainer.strategy.isSynchronizing)
  }

  /// Limits the gradients of an optimizer in a step with manual optimization.
  public final func clipGradients(of optimizer: LightningOptimizer, norm: Double? = nil, value: Double? = nil) throws {
    try trainer?.strategy.clipGradients(of: optimizer.base, norm: norm, value: value)
  }

  /// Computes the gradients of a loss, scaled where the precision asks for it.
  open func backward(_ loss: Tensor) throws { loss.backward() }

  /// Zeroes the gradients before a window of batches.
  open func optimizerZeroGradients(_ optimizer: Optimizer) throws { optimizer.zeroGradients() }

  /// Limits the gradients before a step; `norm` and `value` are the trainer's arguments. Both are nil without clipping.
  open func configureGradientClipping(_ optimizer: Optimizer, norm: Double?, value: Double?) throws {
    try trainer?.strategy.clipGradients(of: optimizer, norm: norm, value: value)
  }

  /// Performs an update. Override it, for example for a warm-up, and call `super`.
  open func optimizerStep(_ optimizer: Optimizer) throws { try trainer?.strategy.optimizerStep(optimizer) }

  /// Advances a schedule; `metric` is what a plateau schedule watches.
  open func scheduleStep(_ schedule: LearningRateSchedule, metric: Double?) throws {
    if let plateau = schedule as? ReduceLROnPlateau {
      if let metric { plateau.step(metric: metric) }
    } else {
      schedule.step()
    }
  }

  // Hooks
  /// Downloads and the like: runs in one process per node, before the others go on.
  open func prepareData() throws {}
  open func setup(_ stage: Stage) throws {}
  open func teardown(_ stage: Stage) {}
  open func onFitStart() throws {}
  open func onFitEnd() throws {}
  open func onTrainStart() throws {}
  open func onTrainEnd() throws {}
  open func onTrainEpochStart() throws {}
  open func onTrainEpochEnd() throws {}
  open func onTrainBatchStart(_ index: Int) throws {}
  open func onTrainBatchEnd(_ index: Int) throws {}
  open func onBeforeZeroGradients(_ optimizer: Optimizer) throws {}
  open func onBeforeBackward(_ loss: Tensor) throws {}
  open func onAfterBackward() throws {}
  open func onBeforeOptimizerStep(_ optimizer: Optimizer) throws {}
  open func onValidationStart() throws {}
  open func onValidationEnd() throws {}
  open func onValidationEpochStart() throws {}
  open func onValidationEpochEnd() throws {}
  open func onValidationBatchStart(_ index: Int, loader: Int) throws {}
  open func onValidationBatchEnd(_ output: StepOutput, _ index: Int, loader: Int) throws {}
  open func onTestStart() throws {}
  open func onTestEnd() throws {}
  open func onTestEpochStart() throws {}
  open func onTestEpochEnd() throws {}
  open func onTestBatchStart(_ index: Int, loader: Int) throws {}
  open func onTestBatchEnd(_ output: StepOutput, _ index: Int, loader: Int) throws {}
  open func onPredictStart() throws {}
  open func onPredictEnd() throws {}
  open func onPredictEpochStart() throws {}
  open func onPredictEpochEnd() throws {}
  open func onPredictBatchStart(_ index: Int, loader: Int) throws {}
  open func onPredictBatchEnd(_ prediction: Tensor?, _ index: Int, loader: Int) throws {}
  /// Frees the memory of gradients before a validation inside a fit, unless more are to be added to them: between the
  /// batches of a window, and with manual optimization.
  open func onValidationModelZeroGradients() throws {
    guard automaticOptimization, trainer?.isStepBoundary ?? true else { return }
    for parameter in parameters() { parameter.gradient = nil }
  }
  /// Puts the layers into evaluation mode; what each was in is restored afterwards.
  open func onValidationModelEval() throws { eval() }
  /// Called when the layers are in the mode they were in before the validation.
  open func onValidationModelTrain() throws {}
  open func onTestModelEval() throws { eval() }
  open func onTestModelTrain() throws {}
  open func onPredictModelEval() throws { eval() }
  open func onPredictModelTrain() throws {}
  /// Adds to a checkpoint that is about to be written.
  open func onSaveCheckpoint(_ checkpoint: inout Checkpoint) throws {}
  /// Reads what ``onSaveCheckpoint(_:)`` added, and may change the checkpoint, for example rename weights, before anything
  /// else is taken over from it.
  open func onLoadCheckpoint(_ checkpoint: inout Checkpoint) throws {}

  /// The answer puts each layer back into the mode it is in now.
  final func rememberModes() -> () -> Void {
    let modes = namedModules().map { (module: $0.module, isTraining: $0.module.isTraining) }
    return { for mode in modes { mode.module.isTraining = mode.isTraining } }
  }
}

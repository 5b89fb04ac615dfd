public import Torch
public import TorchNN
public import TorchOptim

/// What the trainer, strategies and callbacks know of a module: everything but the type of its batches.
///
/// Subclass ``LightningModule``, not this class. The hooks fire in the order of Lightning's:
///
/// ```
/// fit:  onFitStart, (sanity check), onTrainStart
///         per epoch: onTrainEpochStart
///           per batch: onTrainBatchStart, trainingStep,
///                      [first of a window: onBeforeZeroGradients], onBeforeBackward, onAfterBackward,
///                      [last of a window: onBeforeOptimizerStep], onTrainBatchEnd
///           validation: onValidationStart, per batch { validationStep }, onValidationEnd
///         onTrainEpochEnd
///       onTrainEnd, onFitEnd
/// ```
open class AnyLightningModule: Module {
  /// The trainer that runs this module; nil outside a run.
  public internal(set) final weak var trainer: Trainer?

  public override init() {}

  /// The optimizer, and what changes its learning rate. Called once a fit, after the module is on its device.
  open func configureOptimizers() throws -> OptimizerPlan {
    throw ConfigurationError(
      "configureOptimizers", "\(type(of: self)) has no optimizer",
      suggestion: "override configureOptimizers(), for example `OptimizerPlan(SGD(self, learningRate: 0.1))`")
  }

  /// What is worth keeping with the weights: shown by loggers, saved in checkpoints as `hyper_parameters`.
  open var hyperParameterArchive: ArchiveDictionary { [:] }

  // Hooks
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
  open func onTestStart() throws {}
  open func onTestEnd() throws {}
  open func onPredictStart() throws {}
  open func onPredictEnd() throws {}
  /// Adds to a checkpoint that is about to be written.
  open func onSaveCheckpoint(_ checkpoint: inout Checkpoint) throws {}
  /// Reads what ``onSaveCheckpoint(_:)`` added.
  open func onLoadCheckpoint(_ checkpoint: Checkpoint) throws {}

  /// Records a metric of the batch at hand. Between batches, in a hook such as ``onTrainEpochEnd()``, the value is
  /// written at once, as rank 0 has it.
  ///
  /// - Parameters:
  ///   - name: such as `train/loss`; the same on all ranks.
  ///   - value: one number.
  ///   - targets: a row per batch, the mean over the epoch, or both (`name` then holds the batches and `name_epoch`
  ///     the mean). Left out: per batch in training, per epoch in evaluation.
  ///   - progressBar: show it in the progress bar.
  ///   - acrossRanks: write the mean over the ranks. It crosses them with other metrics in one collective, at the next
  ///     flush or the end of the epoch, never in this call.
  ///   - sampleCount: the weight of the value in the mean; the number of samples of the batch when left out.
  public final func log(
    _ name: String, _ value: Tensor, on targets: LogTargets? = nil, progressBar: Bool = false,
    acrossRanks: Bool = true, sampleCount: Int? = nil
  ) {
    guard let trainer, let number = metricNumber(value, name) else { return }
    trainer.record(
      name, number, on: targets, progressBar: progressBar, acrossRanks: acrossRanks, sampleCount: sampleCount)
  }

  /// Records a metric of the batch at hand; see the other `log`.
  public final func log(
    _ name: String, _ value: Double, on targets: LogTargets? = nil, progressBar: Bool = false,
    acrossRanks: Bool = true, sampleCount: Int? = nil
  ) {
    trainer?.record(
      name, .double(value), on: targets, progressBar: progressBar, acrossRanks: acrossRanks,
      sampleCount: sampleCount)
  }

  /// Puts all layers into evaluation mode; the answer puts each back into the mode it was in.
  final func enterEvaluationMode() -> () -> Void {
    let modes = namedModules().map { (module: $0.module, isTraining: $0.module.isTraining) }
    eval()
    return { for mode in modes { mode.module.isTraining = mode.isTraining } }
  }

  private final func metricNumber(_ value: Tensor, _ name: String) -> MetricNumber? {
    guard let number = try? value.scalar() else {
      if !value.isPoisoned {
        _ = Tensor.failed(
          operation: "log", message: "'\(name)' is not a single number; log its mean() or sum()",
          arguments: [("value", value)])
      }
      return nil
    }
    return value.dtype == .float32 ? .float(Float(number)) : .double(number)
  }
}

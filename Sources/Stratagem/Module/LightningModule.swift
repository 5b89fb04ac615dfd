public import Torch

/// A model together with how it is trained, evaluated and used: the class a user subclasses.
///
/// ```swift
/// final class Classifier: LightningModule<Digits> {
///   let fc1 = Linear(64, 128)
///   let fc2 = Linear(128, 10)
///   func callAsFunction(_ images: Tensor) -> Tensor { fc2(fc1(images).relu()) }
///
///   override func trainingStep(_ batch: Digits, at index: Int) throws -> StepOutput {
///     let loss = Functional.crossEntropy(self(batch.images), batch.labels)
///     log("train/loss", loss, progressBar: true)
///     return .loss(loss)
///   }
///   override func configureOptimizers() throws -> OptimizerPlan { OptimizerPlan(SGD(self, learningRate: 0.1)) }
/// }
/// ```
open class LightningModule<Batch>: AnyLightningModule {
  public override init() {}

  /// The loss of a batch. Backward, the optimizer's step and zeroing the gradients follow by themselves.
  ///
  /// - Parameter index: number of the batch in its epoch, on this rank.
  open func trainingStep(_ batch: Batch, at index: Int) throws -> StepOutput { .notOverridden }

  /// Logs what is to be known of a validation batch. Runs without gradients and with layers in evaluation mode.
  open func validationStep(_ batch: Batch, at index: Int) throws -> StepOutput { .notOverridden }

  /// Like ``validationStep(_:at:)``, for test data; the same as validation unless overridden.
  open func testStep(_ batch: Batch, at index: Int) throws -> StepOutput { try validationStep(batch, at: index) }

  /// One row per sample of the batch, or nil when there is nothing to collect.
  open func predictStep(_ batch: Batch, at index: Int) throws -> Tensor? {
    throw ConfigurationError(
      "predictStep", "\(type(of: self)) does not predict", suggestion: "override predictStep(_:at:)")
  }

  /// Changes a batch before it is moved to the device of this process, such as an augmentation on the processor.
  open func onBeforeBatchTransfer(_ batch: Batch, loader: Int) throws -> Batch { batch }

  /// Moves a batch to the device of this process; on the processor it is there already. Override it for batches that are
  /// not ``BatchConvertible``.
  open func transfer(_ batch: Batch, to device: Device) throws -> Batch {
    if device == .cpu { return batch }
    guard let moved = (batch as? any BatchConvertible)?.to(device) as? Batch else {
      throw notConvertible("transfer", "moved to \(device)", "transfer(_:to:)")
    }
    return moved
  }

  /// Changes a batch after it was moved to the device of this process, such as an augmentation there.
  open func onAfterBatchTransfer(_ batch: Batch, loader: Int) throws -> Batch { batch }

  /// Converts the floating-point numbers of a batch, for precisions such as `64-true`.
  open func convert(_ batch: Batch, to dtype: DType) throws -> Batch {
    guard let converted = (batch as? any BatchConvertible)?.to(floatingPoint: dtype) as? Batch else {
      throw notConvertible("convert", "converted to \(dtype)", "convert(_:to:)")
    }
    return converted
  }

  /// Cuts a batch into at most `count` parts, each with its number of samples, for strategies of several replicas.
  ///
  /// The parts follow `torch.chunk`: ceil(samples / count) samples each, the last may have fewer. Override it for batches
  /// that are not ``BatchConvertible``, or whose samples are not the first dimension of every tensor.
  open func split(_ batch: Batch, into count: Int) throws -> [(batch: Batch, sampleCount: Int)] {
    func parts<Convertible: BatchConvertible>(
      _ convertible: Convertible
    ) throws -> [(batch: Batch, sampleCount: Int)] {
      try BatchRows.split(convertible, into: count).compactMap { part in
        (part.batch as? Batch).map { (batch: $0, sampleCount: part.sampleCount) }
      }
    }
    guard let convertible = batch as? any BatchConvertible else {
      throw notConvertible("split", "split", "split(_:into:)")
    }
    return try parts(convertible)
  }

  private func notConvertible(_ parameter: String, _ what: String, _ method: String) -> ConfigurationError {
    ConfigurationError(
      parameter, "a batch of type \(Batch.self) cannot be \(what)",
      suggestion: "make \(Batch.self) conform to BatchConvertible, or override \(method) of \(type(of: self))")
  }
}

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

  /// Moves a batch to the device of this process. Override it for batches that are not ``BatchConvertible``.
  open func transfer(_ batch: Batch, to device: Device) throws -> Batch {
    if let convertible = batch as? any BatchConvertible, let moved = convertible.to(device) as? Batch { return moved }
    if let tensor = batch as? Tensor, let moved = tensor.to(device) as? Batch { return moved }
    throw ConfigurationError(
      "transfer", "a batch of type \(Batch.self) cannot be moved to \(device)",
      suggestion: "make \(Batch.self) conform to BatchConvertible, or override transfer(_:to:)")
  }

  /// Converts the floating-point numbers of a batch, for precisions such as `64-true`.
  open func convert(_ batch: Batch, to dtype: DType) throws -> Batch {
    if let convertible = batch as? any BatchConvertible, let converted = convertible.to(floatingPoint: dtype) as? Batch
    {
      return converted
    }
    if let tensor = batch as? Tensor {
      return (tensor.dtype.isFloatingPoint ? tensor.to(dtype) : tensor) as? Batch ?? batch
    }
    throw ConfigurationError(
      "convert", "a batch of type \(Batch.self) cannot be converted to \(dtype)",
      suggestion: "make \(Batch.self) conform to BatchConvertible, or override convert(_:to:)")
  }
}

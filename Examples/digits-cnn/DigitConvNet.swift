import Stratagem
import StratagemCLI
import Torch
import TorchNN

/// Two convolutions with batch normalization, a pooling and a linear layer.
final class DigitConvNet: LightningModule<DigitBatch> {
  let conv1 = Conv2d(1, 16, kernelSize: 3, padding: 1, bias: false)
  let bn1 = BatchNorm2d(16)
  let conv2 = Conv2d(16, 32, kernelSize: 3, padding: 1, bias: false)
  let bn2 = BatchNorm2d(32)
  let pool = MaxPool2d(2)
  let fc = Linear(32 * 4 * 4, 10)
  let optimizer: OptimizerSettings

  init(optimizer: OptimizerSettings) { self.optimizer = optimizer }

  /// Maps pixels [batch, 64] to one logit per digit [batch, 10].
  func callAsFunction(_ images: Tensor) -> Tensor {
    var features = images.reshaped(-1, 1, 8, 8)
    features = bn1(conv1(features)).relu()
    features = bn2(conv2(features)).relu()
    return fc(pool(features).flattened(from: 1))
  }

  override func trainingStep(_ batch: DigitBatch, at index: Int) throws -> StepOutput {
    let loss = Functional.crossEntropy(self(batch.images), batch.labels)
    log("train/loss", loss, on: .step, progressBar: true)
    return .loss(loss)
  }

  override func validationStep(_ batch: DigitBatch, at index: Int) throws -> StepOutput {
    let logits = self(batch.images)
    let correct = logits.argmax(dim: 1) .== batch.labels
    log("val/loss", Functional.crossEntropy(logits, batch.labels))
    log("val/accuracy", correct.to(.float64).mean(), progressBar: true)
    return .skipped
  }

  override func predictStep(_ batch: DigitBatch, at index: Int) throws -> Tensor? {
    self(batch.images).argmax(dim: 1)
  }

  override func configureOptimizers() throws -> OptimizerPlan { try optimizer.plan(for: self) }

  override var hyperParameterArchive: ArchiveDictionary { optimizer.archive }
}

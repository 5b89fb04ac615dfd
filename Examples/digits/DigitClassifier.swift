import Stratagem
import StratagemCLI
import Torch
import TorchNN

/// 64 pixels, hidden units, 10 digits.
final class DigitClassifier: LightningModule<DigitBatch> {
  struct HyperParameters: ModelHyperParameters {
    var hidden = 128
  }

  let fc1: Linear
  let fc2: Linear
  let optimizer: OptimizerSettings
  let hyperParameters: HyperParameters

  init(optimizer: OptimizerSettings, _ hyperParameters: HyperParameters) {
    fc1 = Linear(64, hyperParameters.hidden)
    fc2 = Linear(hyperParameters.hidden, 10)
    self.optimizer = optimizer
    self.hyperParameters = hyperParameters
  }

  /// Maps pixels [batch, 64] to one logit per digit [batch, 10].
  func callAsFunction(_ images: Tensor) -> Tensor { fc2(fc1(images).relu()) }

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

  override var hyperParameterArchive: ArchiveDictionary { optimizer.archive(with: hyperParameters) }
}

import Stratagem
import StratagemCLI

/// 2 coordinates, 16 hidden units, 3 corners.
final class PointClassifier: LightningModule<PointBatch> {
  let hidden = Linear(2, 16)
  let output = Linear(16, 3)
  let optimizer: OptimizerSettings

  init(_ optimizer: OptimizerSettings) { self.optimizer = optimizer }

  func callAsFunction(_ points: Tensor) -> Tensor { output(hidden(points).relu()) }

  override func trainingStep(_ batch: PointBatch, at index: Int) throws -> StepOutput {
    let loss = Functional.crossEntropy(self(batch.points), batch.corners)
    log("train/loss", loss, progressBar: true)
    return .loss(loss)
  }

  override func validationStep(_ batch: PointBatch, at index: Int) throws -> StepOutput {
    let hits = self(batch.points).argmax(dim: 1) .== batch.corners
    log("val/accuracy", hits.to(.float64).mean(), progressBar: true)
    return .skipped
  }

  override func predictStep(_ batch: PointBatch, at index: Int) throws -> Tensor? {
    self(batch.points).argmax(dim: 1)
  }

  override func configureOptimizers() throws -> OptimizerPlan { try optimizer.plan(for: self) }
}

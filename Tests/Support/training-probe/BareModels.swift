import Stratagem

/// A model without an optimizer.
final class ModelWithoutOptimizer: LightningModule<[Tensor]> {
  let fc = Linear(4, 3)
  override func trainingStep(_ batch: [Tensor], at index: Int) -> StepOutput {
    .loss(Functional.crossEntropy(fc(batch[0]), batch[1]))
  }
}

/// A model without a training step.
final class ModelWithoutTrainingStep: LightningModule<[Tensor]> {
  let fc = Linear(4, 3)
  override func configureOptimizers() -> OptimizerPlan { OptimizerPlan(SGD(self, learningRate: 0.1)) }
}

/// A model that trains, and cannot validate or predict.
final class ModelWithoutEvaluation: LightningModule<[Tensor]> {
  let fc = Linear(4, 3)
  override func trainingStep(_ batch: [Tensor], at index: Int) -> StepOutput {
    .loss(Functional.crossEntropy(fc(batch[0]), batch[1]))
  }
  override func configureOptimizers() -> OptimizerPlan { OptimizerPlan(SGD(self, learningRate: 0.1)) }
}

/// A model whose layers have other shapes than the probe's.
final class OtherModel: LightningModule<[Tensor]> {
  let fc1 = Linear(4, 6)
  let head = Linear(6, 3)
  override func trainingStep(_ batch: [Tensor], at index: Int) -> StepOutput {
    .loss(Functional.crossEntropy(head(fc1(batch[0]).relu()), batch[1]))
  }
  override func configureOptimizers() -> OptimizerPlan { OptimizerPlan(SGD(self, learningRate: 0.1)) }
}

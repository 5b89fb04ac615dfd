import Glibc
import Stratagem

/// A perceptron whose weights, gradients and data the tests of `bagua` compute again from tensors alone.
final class BaguaModel: LightningModule<[Tensor]> {
  let fc1: Linear
  let fc2: Linear
  /// A layer that only even ranks use.
  let extra: Linear?
  private let configuration: BaguaConfiguration

  init(_ configuration: BaguaConfiguration, rank: Int) {
    self.configuration = configuration
    let model = configuration["model"]
    fc1 = Linear(4, model == "wider" && rank == 1 ? 7 : 6)
    fc2 = Linear(model == "wider" && rank == 1 ? 7 : 6, 3)
    extra = configuration["unused"] == nil ? nil : Linear(4, 3)
    super.init()
    fill(self)
    if model == "frozen", rank == 1 { fc2.bias?.requiresGradient = false }
  }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    let rank = trainer?.rank ?? 0
    if configuration.int("fault") == trainer?.progress.globalStep, configuration.int("rank") == rank {
      throw ProbeError(description: "the user's code fails on rank \(rank)")
    }
    if configuration["model"] == "straight" {
      // Gradients that do not depend on the weights: 1 on rank 0, 2 on rank 1, ...
      usleep(20_000)
      return .loss(parameters().reduce(Tensor(0.0)) { $0 + $1.tensor.sum() } * Double(rank + 1))
    }
    var output = fc2(fc1(batch[0]).relu())
    if let extra, rank.isMultiple(of: 2) { output = output + extra(batch[0]) }
    return .loss(Functional.crossEntropy(output, batch[1]))
  }

  override func validationStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    log("val/loss", Functional.crossEntropy(fc2(fc1(batch[0]).relu()), batch[1]))
    return .skipped
  }

  override func configureOptimizers() throws -> OptimizerPlan {
    let trained = parameters().filter(\.requiresGradient)
    switch configuration["optimizer"] {
    case "qadam":
      return OptimizerPlan(QAdam(trained, learningRate: 0.05, warmupSteps: configuration.int("warmup") ?? 2))
    case "partial": return OptimizerPlan(SGD(fc1.parameters(), learningRate: 0.1))
    default:
      return OptimizerPlan(SGD(trained, learningRate: 0.1, momentum: configuration.double("momentum") ?? 0))
    }
  }
}

import ArgumentParser
import Stratagem
import StratagemCLI
import Torch
import TorchData
import TorchNN

/// A program with defaults of its own and a model of one weight.
struct ProbeCommand: TrainingCommand {
  static let summary = "A program for tests."
  static let defaults = TrainingDefaults(
    batchSize: 12, epochs: 7, optimizer: .sgd, learningRate: 0.25, momentum: 0.5, monitor: .highest("val/accuracy"))

  static func makeData(_ settings: DataSettings) -> DataModule<Tensor> { DataModule() }

  static func makeModel(_ optimizer: OptimizerSettings) -> ProbeModel { ProbeModel() }
}

final class ProbeModel: LightningModule<Tensor> {
  let fc = Linear(2, 1, bias: false)
}

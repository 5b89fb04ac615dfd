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

/// A program whose model can be set up.
struct TunableCommand: TrainingCommand {
  enum Activation: String, Codable, CaseIterable {
    case relu, gelu, tanh
  }

  struct Block: Codable, Equatable {
    var kernel = 3
    var stride: Int?
  }

  struct HyperParameters: ModelHyperParameters, Equatable {
    var hidden = 128
    var dropout = 0.1
    var name: String?
    var activation = Activation.relu
    var sizes = [8, 16]
    var block = Block()
    var labels = ["first": 1]
    var small: UInt8 = 7
    var residual = false

    static func == (left: Self, right: Self) -> Bool {
      left.hidden == right.hidden && left.dropout == right.dropout && left.name == right.name
        && left.activation == right.activation && left.sizes == right.sizes && left.block == right.block
        && left.labels == right.labels && left.small == right.small && left.residual == right.residual
    }
  }

  static let summary = "A program for tests."
  static let defaults = TrainingDefaults(batchSize: 4, maxSteps: 30, optimizer: .adamw, learningRate: 3e-4)

  static func makeData(_ settings: DataSettings) -> DataModule<Tensor> { DataModule() }

  static func makeModel(_ optimizer: OptimizerSettings, _ hyperParameters: HyperParameters) -> ProbeModel {
    ProbeModel()
  }
}

final class ProbeModel: LightningModule<Tensor> {
  let fc = Linear(2, 1, bias: false)
}

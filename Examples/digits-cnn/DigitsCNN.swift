import ArgumentParser
import Stratagem
import StratagemCLI

/// `digits-cnn fit --strategy ddp --devices 2`, and the verbs validate, test and predict.
@main
struct DigitsCNN: TrainingCommand {
  static let summary = "Classifies 8x8 images of handwritten digits with convolutions and batch normalization."
  static let defaults = TrainingDefaults(
    batchSize: 32, epochs: 2, optimizer: .sgd, learningRate: 0.05, momentum: 0.9, monitor: .highest("val/accuracy"))

  static func makeData(_ settings: DataSettings) throws -> DataModule<DigitBatch> { try DigitBatch.load(settings) }

  static func makeModel(_ optimizer: OptimizerSettings) -> DigitConvNet { DigitConvNet(optimizer: optimizer) }
}

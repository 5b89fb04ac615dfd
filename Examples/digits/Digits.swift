import ArgumentParser
import Stratagem
import StratagemCLI

/// `digits fit --strategy ddp --devices 2`, and the verbs validate, test and predict.
@main
struct Digits: TrainingCommand {
  static let summary = "Classifies 8x8 images of handwritten digits with a two-layer network."
  static let defaults = TrainingDefaults(
    batchSize: 32, epochs: 10, optimizer: .sgd, learningRate: 0.1, momentum: 0.9, monitor: .highest("val/accuracy"))

  static func makeData(_ settings: DataSettings) throws -> DataModule<DigitBatch> { try DigitBatch.load(settings) }

  static func makeModel(
    _ optimizer: OptimizerSettings, _ hyperParameters: DigitClassifier.HyperParameters
  ) throws -> DigitClassifier {
    guard hyperParameters.hidden > 0 else {
      throw ConfigurationError(
        "model.hidden", "model.hidden is \(hyperParameters.hidden)", suggestion: "give 1 or more")
    }
    return DigitClassifier(optimizer: optimizer, hyperParameters)
  }
}

import ArgumentParser
import Stratagem
import StratagemCLI

/// `byte-gpt fit --strategy ddp --devices 2`, and the verbs validate, test and predict.
@main
struct ByteGPT: TrainingCommand {
  static let summary = "Learns to continue text, byte by byte, with a small transformer in the style of GPT-2."
  static let defaults = TrainingDefaults(
    batchSize: 8, maxSteps: 30, optimizer: .adamw, learningRate: 3e-4, monitor: .lowest("val/loss"))

  static func makeData(_ settings: DataSettings) throws -> DataModule<TextBatch> { try TextBatch.load(settings) }

  static func makeModel(
    _ optimizer: OptimizerSettings, _ hyperParameters: LanguageModel.HyperParameters
  ) throws -> LanguageModel {
    let (width, heads, layers) = (hyperParameters.width, hyperParameters.heads, hyperParameters.layers)
    guard width > 0, heads > 0, layers > 0, width.isMultiple(of: heads) else {
      throw ConfigurationError(
        "model", "model has width \(width), heads \(heads) and layers \(layers)",
        suggestion: "give numbers above 0, and a width that is a multiple of heads")
    }
    return LanguageModel(optimizer: optimizer, hyperParameters)
  }
}

public import ArgumentParser
public import Stratagem

/// A program that trains, evaluates and uses one kind of model: the verbs `fit`, `validate`, `test` and `predict`.
///
/// A program says how its model and its data are made; the flags, the trainer and the results come from here.
///
/// ```swift
/// @main
/// struct Digits: TrainingCommand {
///   static let summary = "Classifies images of handwritten digits."
///   static let defaults = TrainingDefaults(batchSize: 32, epochs: 10, optimizer: .sgd, learningRate: 0.1)
///   static func makeData(_ settings: DataSettings) throws -> DataModule<DigitBatch> { try DigitData.load(settings) }
///   static func makeModel(_ optimizer: OptimizerSettings) -> DigitClassifier { DigitClassifier(optimizer) }
/// }
/// ```
///
/// The name of the program is that of the type: `Digits` is called `digits`, `ByteGPT` is called `byte-gpt`.
public protocol TrainingCommand: ParsableCommand {
  /// What the model is trained on.
  associatedtype Batch
  /// What is trained.
  associatedtype Model: LightningModule<Batch>
  /// What can be set about the model; see ``ModelHyperParameters``.
  associatedtype HyperParameters: HyperParameterSet = NoHyperParameters

  /// One sentence for `--help`.
  static var summary: String { get }

  /// The values of flags that are not given.
  static var defaults: TrainingDefaults { get }

  /// Registers strategies of the program's own; called before any flag is looked up. Does nothing by default.
  static func prepare() throws

  /// Reads the data. Called in every process before processes are started, so that a bad file fails at once.
  static func makeData(_ settings: DataSettings) throws -> DataModule<Batch>

  /// Makes the model, whose `configureOptimizers()` returns `optimizer.plan(for: self)`.
  ///
  /// Called in every process after the random numbers were seeded with `--seed`. A program with hyper-parameters
  /// implements ``makeModel(_:_:)`` instead.
  static func makeModel(_ optimizer: OptimizerSettings) throws -> Model

  /// Makes the model from its hyper-parameters.
  static func makeModel(_ optimizer: OptimizerSettings, _ hyperParameters: HyperParameters) throws -> Model
}

extension TrainingCommand where HyperParameters == NoHyperParameters {
  public static func makeModel(_ optimizer: OptimizerSettings, _ hyperParameters: NoHyperParameters) throws -> Model {
    try makeModel(optimizer)
  }
}

extension TrainingCommand where HyperParameters: ModelHyperParameters {
  public static func makeModel(_ optimizer: OptimizerSettings) throws -> Model {
    try makeModel(optimizer, HyperParameters())
  }
}

extension TrainingCommand {
  public static var configuration: CommandConfiguration {
    CommandConfiguration(
      abstract: summary,
      subcommands: [
        FitCommand<Self>.self, ValidateCommand<Self>.self, TestCommand<Self>.self, PredictCommand<Self>.self,
      ])
  }

  public static func prepare() throws {}
}

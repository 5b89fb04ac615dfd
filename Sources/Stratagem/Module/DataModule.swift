public import Torch
public import TorchData

/// The data of a run: where it comes from and how it is loaded.
///
/// Loaders are made in every process; the trainer deals the samples to the ranks, so that `batchSize` is per rank.
open class DataModule<Batch> {
  public init() {}

  /// Downloads and the like: runs in one process per node, before the others go on.
  open func prepareData() throws {}

  /// Runs in every process, after ``prepareData()``.
  open func setup(_ stage: Stage) throws {}

  open func trainingLoader() throws -> DataLoader<Batch>? { nil }
  open func validationLoader() throws -> DataLoader<Batch>? { nil }
  open func testLoader() throws -> DataLoader<Batch>? { nil }
  open func predictLoader() throws -> DataLoader<Batch>? { nil }

  /// Several loaders to validate on, one after the other; `trainer.loaderIndex` tells which is at work, and metrics get
  /// the suffix `/dataloader_idx_0`, `_1`, ... The only one of ``validationLoader()`` unless overridden.
  open func validationLoaders() throws -> [DataLoader<Batch>] { try validationLoader().map { [$0] } ?? [] }

  /// Several loaders to test on; see ``validationLoaders()``.
  open func testLoaders() throws -> [DataLoader<Batch>] { try testLoader().map { [$0] } ?? [] }

  open func teardown(_ stage: Stage) {}

  // Checkpoints
  /// The name under which the state is kept in checkpoints: the name of the type, as in Lightning.
  open var stateKey: String { "\(type(of: self))" }

  /// The state to be kept in checkpoints; empty for none.
  open func state() -> ArchiveDictionary { [:] }

  /// Takes over what ``state()`` returned. Called after ``setup(_:)``, before loaders are asked for.
  open func load(_ state: ArchiveDictionary) throws {}

  /// What is worth keeping of the settings: saved in checkpoints as `datamodule_hyper_parameters`.
  open var hyperParameterArchive: ArchiveDictionary { [:] }
}

/// Loaders that exist already, as a data module.
public final class LoaderDataModule<Batch>: DataModule<Batch> {
  private let training: DataLoader<Batch>?
  private let evaluation: DataLoader<Batch>?

  /// - Parameter evaluation: used for validation, test and prediction.
  public init(training: DataLoader<Batch>? = nil, evaluation: DataLoader<Batch>? = nil) {
    self.training = training
    self.evaluation = evaluation
  }

  public override func trainingLoader() -> DataLoader<Batch>? { training }
  public override func validationLoader() -> DataLoader<Batch>? { evaluation }
  public override func testLoader() -> DataLoader<Batch>? { evaluation }
  public override func predictLoader() -> DataLoader<Batch>? { evaluation }
}

import Glibc
import Stratagem

/// The digits MLP (workload W1), as a user writes it.
final class Digits: LightningModule<[Tensor]> {
  let fc1 = Linear(64, 128)
  let fc2 = Linear(128, 10)
  private let logsLoss: Bool

  init(logsLoss: Bool = false) {
    self.logsLoss = logsLoss
  }

  func callAsFunction(_ images: Tensor) -> Tensor { fc2(fc1(images).relu()) }

  func loss(_ batch: [Tensor]) -> Tensor { Functional.crossEntropy(self(batch[0]), batch[1]) }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    let loss = loss(batch)
    if logsLoss { log("train/loss", loss, progressBar: true) }
    return .loss(loss)
  }

  override func validationStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    let loss = loss(batch)
    log("val/loss", loss, progressBar: true)
    return .loss(loss)
  }

  override func configureOptimizers() throws -> OptimizerPlan { OptimizerPlan(makeOptimizer()) }

  func makeOptimizer() -> SGD { SGD(self, learningRate: 0.1, momentum: 0.9) }
}

/// The handwritten digits: 1500 images to train on, 297 to validate with.
final class DigitsData: DataModule<[Tensor]> {
  static let trainingRows = 1500

  private let folder: String
  private let batchSize: Int
  private let validates: Bool
  private(set) var training: TensorDataset?
  private var validation: TensorDataset?

  init(folder: String, batchSize: Int = 32, validates: Bool = false) {
    self.folder = folder
    self.batchSize = batchSize
    self.validates = validates
  }

  override func setup(_ stage: Stage) throws { try load() }

  func load() throws {
    guard training == nil else { return }
    let plain = folder + "/digits.csv"
    let table = try CSVTable(access(plain, R_OK) == 0 ? plain : plain + ".gz")
    let images = try table.tensor(columns: 0..<64) / 16
    let labels = try table.labels(column: table.columnNames[64], validLabels: 0..<10)
    let rows = Self.trainingRows
    training = TensorDataset(images[..<rows], labels[..<rows])
    validation = TensorDataset(images[rows...], labels[rows...])
  }

  override func trainingLoader() throws -> DataLoader<[Tensor]>? {
    training.map { DataLoader($0, batchSize: batchSize, dropLast: true) }
  }

  override func validationLoader() throws -> DataLoader<[Tensor]>? {
    validates ? validation.map { DataLoader($0, batchSize: 64) } : nil
  }
}

import Foundation
import Stratagem
import StratagemCLI
import Torch
import TorchData

/// Images and the digits they show.
struct DigitBatch: BatchConvertible {
  var images: Tensor  // [batch, 64] float32 in 0...1
  var labels: Tensor  // [batch] int64 in 0..<10

  func mapTensors(_ transform: (Tensor) -> Tensor) -> DigitBatch {
    DigitBatch(images: transform(images), labels: transform(labels))
  }
}

extension DigitBatch {
  /// Rows of the file that are for training; those after them are for validation, test and prediction.
  private static let trainingRows = 0..<1500

  /// Reads a CSV file with 64 columns of pixels in 0...16 and the column `label`.
  static func load(_ settings: DataSettings) throws -> DataModule<DigitBatch> {
    let path = settings.path ?? Bundle.module.bundlePath + "/Data/digits.csv.gz"
    let table = try CSVTable(path)
    guard table.columnCount == 65, table.rowCount > trainingRows.count else {
      throw ConfigurationError(
        "data", "\(path) has \(table.columnCount) columns and \(table.rowCount) rows",
        suggestion:
          "give 64 columns of pixels and one of labels, \(trainingRows.count) rows for training and more after them")
    }
    let images = try table.tensor(columns: 0..<64) / 16
    let labels = try table.labels(column: "label", validLabels: 0..<10)
    let digits = TensorDataset(images, labels).map { DigitBatch(images: $0[0], labels: $0[1]) }
    return LoaderDataModule(
      training: DataLoader(
        digits.subset(trainingRows), batchSize: settings.batchSize, shuffle: settings.shuffle, dropLast: true,
        seed: settings.seed),
      evaluation: DataLoader(digits.subset(trainingRows.upperBound..<digits.count), batchSize: settings.batchSize))
  }
}

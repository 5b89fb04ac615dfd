import Foundation
import Stratagem
import StratagemCLI
import Torch
import TorchData

/// Pieces of text, and for each byte of them the one that follows.
struct TextBatch: BatchConvertible {
  var bytes: Tensor  // [batch, 128] int64 in 0..<256
  var next: Tensor  // [batch, 128] int64 in 0..<256

  func mapTensors(_ transform: (Tensor) -> Tensor) -> TextBatch {
    TextBatch(bytes: transform(bytes), next: transform(next))
  }
}

extension TextBatch {
  /// Trains on the GNU GPL version 3 and evaluates on the beginning of version 2, or on the file of `--data`.
  ///
  /// `fit` takes that file for training, the other verbs take it for evaluation.
  static func load(_ settings: DataSettings) throws -> DataModule<TextBatch> {
    let folder = Bundle.module.bundlePath + "/Data/"
    let own = settings.path.map { ($0, Int.max) }
    let training = settings.stage == .fit ? own : nil
    let evaluation = settings.stage == .fit ? nil : own
    return LoaderDataModule(
      training: DataLoader(
        try windows(of: training ?? (folder + "gpl3.txt.gz", .max)), batchSize: settings.batchSize,
        shuffle: settings.shuffle, dropLast: true, seed: settings.seed),
      evaluation: DataLoader(
        try windows(of: evaluation ?? (folder + "gpl2.txt.gz", 64)), batchSize: settings.batchSize))
  }

  /// Cuts a text, plain or gzip-compressed, into windows of 128 bytes, of which at most `limit` are used.
  private static func windows(of text: (path: String, limit: Int)) throws -> MappedDataset<TensorDataset, TextBatch> {
    guard let contents = FileManager.default.contents(atPath: text.path) else {
      throw ConfigurationError("data", "\(text.path) cannot be read", suggestion: "give a text file")
    }
    var bytes = Array(contents)
    if bytes.starts(with: [0x1f, 0x8b]) { bytes = try Gzip.decompress(contentsOf: text.path) }
    let length = LanguageModel.contextLength
    let count = min((bytes.count - 1) / length, text.limit)
    guard count > 0 else {
      throw ConfigurationError(
        "data", "\(text.path) has \(bytes.count) bytes", suggestion: "give a text of at least \(length + 1) bytes")
    }
    let numbers = Tensor(bytes).to(.int64)
    return TensorDataset(
      numbers[0..<count * length].reshaped(count, length), numbers[1..<count * length + 1].reshaped(count, length)
    ).map { TextBatch(bytes: $0[0], next: $0[1]) }
  }
}

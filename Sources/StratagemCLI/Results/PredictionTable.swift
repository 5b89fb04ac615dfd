internal import Torch

/// Predictions as CSV: one row per sample, in the order of the data.
enum PredictionTable {
  /// Returns the text, with the header `index,prediction`, or `index,prediction_0,...` for several numbers per sample.
  ///
  /// - Parameter predictions: the first dimension counts the samples.
  static func csv(_ predictions: Tensor) throws -> String {
    let rows = predictions.size(0)
    let columns = rows == 0 ? 1 : predictions.count / rows
    let numbers = try texts(of: predictions)
    let names = columns == 1 ? ["prediction"] : (0..<columns).map { "prediction_\($0)" }
    var text = "index," + names.joined(separator: ",") + "\n"
    for row in 0..<rows {
      text += "\(row)," + numbers[row * columns..<(row + 1) * columns].joined(separator: ",") + "\n"
    }
    return text
  }

  /// The numbers in digits that restore them.
  private static func texts(of tensor: Tensor) throws -> [String] {
    guard tensor.dtype.isFloatingPoint else { return try tensor.to(.int64).array(as: Int.self).map(String.init) }
    if tensor.dtype == .float64 { return try tensor.array(as: Double.self).map { "\($0)" } }
    return try tensor.to(.float32).array(as: Float.self).map { "\($0)" }
  }

  /// Writes the table; the file appears whole or not at all.
  static func write(_ predictions: Tensor, to path: String) throws {
    let bytes = Array(try csv(predictions).utf8)
    let file = try AtomicFile(path)
    file.append(bytes)
    try file.check(needed: bytes.count)
    try file.commit()
  }
}

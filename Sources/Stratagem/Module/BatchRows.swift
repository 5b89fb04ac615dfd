internal import Torch

/// The first dimension of a batch's tensors: what its samples are counted along.
enum BatchRows {
  /// A part of a batch and how many rows it has.
  typealias Part<Batch> = (batch: Batch, sampleCount: Int)

  /// Cuts a batch along the first dimension of its tensors; tensors without dimensions go into every part.
  ///
  /// - Throws: ``ConfigurationError`` that shows the shapes when the tensors have no common first dimension.
  static func split<Batch: BatchConvertible>(_ batch: Batch, into count: Int) throws -> [Part<Batch>] {
    var shapes: [[Int]] = []
    _ = batch.mapTensors {
      shapes.append($0.shape)
      return $0
    }
    let rows = Set(shapes.compactMap(\.first))
    guard rows.count == 1, let total = rows.first else {
      let list = shapes.map { "\($0)" }.joined(separator: ", ")
      throw ConfigurationError(
        "batch",
        rows.isEmpty
          ? "a batch of type \(Batch.self) cannot be split: none of its tensors (shapes \(list.isEmpty ? "none" : list)) "
            + "has a first dimension"
          : "a batch of type \(Batch.self) cannot be split: the first dimensions of its tensors differ (shapes \(list))",
        suggestion: "give every tensor one row per sample, or override split(_:into:) of the module")
    }
    guard count > 1, total > 1 else { return [(batch, total)] }
    let size = (total + count - 1) / count
    return stride(from: 0, to: total, by: size).map { start in
      let length = min(size, total - start)
      return (batch.mapTensors { $0.ndim == 0 ? $0 : $0.narrowed(dim: 0, start: start, length: length) }, length)
    }
  }
}

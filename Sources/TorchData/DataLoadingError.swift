/// A batch that could not be loaded: which one, of which samples, and why.
public struct DataLoadingError: Error, CustomStringConvertible {
  /// The number of the batch in its epoch, from 0.
  public let batch: Int
  /// The epoch, from 0.
  public let epoch: Int
  /// The indices of the samples in the dataset; empty when the order of the epoch could not be drawn.
  public let indices: [Int]
  /// What the dataset, its function or the sampler threw.
  public let underlying: any Error

  public var description: String {
    let samples = indices.isEmpty ? "" : " (samples \(Self.shortened(indices)))"
    return "loading batch \(batch) of epoch \(epoch)\(samples) failed: \(underlying)"
  }

  private static func shortened(_ indices: [Int]) -> String {
    if let first = indices.first, let last = indices.last, indices.count > 2, indices.isSuccessive {
      return "\(first)...\(last)"
    }
    let shown = indices.prefix(8).map(String.init).joined(separator: ", ")
    return indices.count > 8 ? "\(shown), ... \(indices.count) in all" : shown
  }
}

/// A sampler that drew an index the dataset does not have.
public struct SampleIndexError: Error, Hashable, CustomStringConvertible {
  /// The index drawn.
  public let index: Int
  /// The number of samples of the dataset.
  public let count: Int

  public var description: String {
    "the sampler drew index \(index), the dataset has \(count) samples (0..<\(count)); make the sampler for this dataset"
  }
}

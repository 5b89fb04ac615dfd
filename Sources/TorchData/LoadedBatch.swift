/// A batch and where it comes from.
public struct LoadedBatch<Batch> {
  /// What the dataset returned.
  public let batch: Batch
  /// The indices of the samples in the dataset, in the order of the batch.
  public let indices: [Int]
  /// The number of the batch in its epoch, from 0.
  public let index: Int

  /// Creates the description of a batch.
  public init(batch: Batch, indices: [Int], index: Int) {
    self.batch = batch
    self.indices = indices
    self.index = index
  }
}

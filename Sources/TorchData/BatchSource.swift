import Torch

/// Loads the batches of one epoch by number, from any thread.
///
/// Unchecked because datasets are only required to be readable from several threads at once, which the compiler
/// cannot see.
final class BatchSource<Batch>: @unchecked Sendable {
  let count: Int
  private let fetch: ([Int]) throws -> Batch
  private let order: [Int]
  private let batchSize: Int
  private let datasetCount: Int
  private let epoch: Int

  init(
    fetch: @escaping ([Int]) throws -> Batch, order: [Int], batchSize: Int, dropLast: Bool, datasetCount: Int,
    epoch: Int
  ) {
    self.fetch = fetch
    self.order = order
    self.batchSize = batchSize
    self.datasetCount = datasetCount
    self.epoch = epoch
    count = dropLast ? order.count / batchSize : (order.count + batchSize - 1) / batchSize
  }

  /// Loads a batch; every error, also of tensor operations, comes out with the batch and its samples.
  func load(_ index: Int) throws(DataLoadingError) -> LoadedBatch<Batch> {
    let start = index * batchSize
    let indices = Array(order[start..<min(start + batchSize, order.count)])
    do {
      for sample in indices where sample < 0 || sample >= datasetCount {
        throw SampleIndexError(index: sample, count: datasetCount)
      }
      let batch = try withErrorScope { try withoutGradients { try fetch(indices) } }
      return LoadedBatch(batch: batch, indices: indices, index: index)
    } catch {
      throw DataLoadingError(batch: index, epoch: epoch, indices: indices, underlying: error)
    }
  }
}

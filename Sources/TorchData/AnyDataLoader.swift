/// What a loader of any batch type can say and do without its batches.
public class AnyDataLoader {
  /// The number of samples in a batch; the last of an epoch may be shorter.
  public let batchSize: Int
  /// Whether a short last batch is left out.
  public let dropLast: Bool
  /// What decides which samples an epoch uses, and in which order.
  public let sampler: any Sampler
  /// The number of samples of the dataset, whatever the sampler draws of them.
  public let datasetCount: Int
  /// The number of batches that threads hold ready, at least 1.
  public let prefetch: Int
  /// The number of threads that load; 0 to load on the calling thread.
  public let threads: Int

  init(
    batchSize: Int, dropLast: Bool, sampler: any Sampler, datasetCount: Int, prefetch: Int, threads: Int
  ) {
    self.batchSize = batchSize
    self.dropLast = dropLast
    self.sampler = sampler
    self.datasetCount = datasetCount
    self.prefetch = prefetch
    self.threads = threads
  }

  /// The number of batches in an epoch.
  public final var batchCount: Int {
    let drawn = sampler.count
    return dropLast ? drawn / batchSize : (drawn + batchSize - 1) / batchSize
  }

  /// The number of samples in the batches of an epoch.
  public final var sampleCount: Int {
    let drawn = sampler.count
    return dropLast ? drawn - drawn % batchSize : drawn
  }

  /// Which rank's part of the samples this loader draws; `nil` for all of them.
  public final var shard: Shard? { sampler.shard }

  /// The loader of one rank's part; see ``DataLoader/distributed(worldSize:rank:policy:)``.
  public func distributed(worldSize: Int, rank: Int, policy: Shard.Policy) -> AnyDataLoader { self }

  /// The batches of an epoch without their type; see ``DataLoader/iterator(epoch:startingAt:)``.
  public func anyIterator(epoch: Int, startingAt batch: Int = 0) -> AnyLoaderIterator { AnyLoaderIterator() }
}

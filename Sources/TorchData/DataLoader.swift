import Torch

/// Batches of a dataset, loaded ahead of their use.
///
/// ```swift
/// let loader = DataLoader(TensorDataset(images, labels), batchSize: 32, shuffle: true)
/// for epoch in 0..<3 {
///   let batches = loader.iterator(epoch: epoch)
///   while let loaded = try batches.next() { train(loaded.batch) }
/// }
/// ```
///
/// The batches of an epoch and their order depend on the loader and the number of the epoch alone: not on the number
/// of threads, and not on where an iteration began.
public final class DataLoader<Batch>: AnyDataLoader {
  private let fetch: ([Int]) throws -> Batch
  /// Whether samples are shuffled by a seed that nobody gave.
  private let takesSeed: Bool

  /// Creates a loader of a dataset.
  ///
  /// - Parameters:
  ///   - dataset: what to load; it is read by several threads at once.
  ///   - batchSize: the number of samples in a batch, at least 1.
  ///   - shuffle: draw the samples in a new order in each epoch.
  ///   - sampler: what decides the order instead of `shuffle`.
  ///   - dropLast: leave out a short last batch.
  ///   - seed: what the order of `shuffle` depends on, together with the epoch; `nil` for the trainer's, or 0 without
  ///     one.
  ///   - prefetch: how many batches the threads hold ready, at least 1.
  ///   - threads: how many threads load; 0 to load on the calling thread; `nil` for none when the dataset is
  ///     immediate (as ``TensorDataset`` is), else one.
  ///
  /// Arguments out of range are recorded as a `TorchError`.
  public convenience init<Source: Dataset>(
    _ dataset: Source, batchSize: Int, shuffle: Bool = false, sampler: (any Sampler)? = nil, dropLast: Bool = false,
    seed: UInt64? = nil, prefetch: Int = 2, threads: Int? = nil
  ) where Source.Batch == Batch {
    let count = dataset.count
    if let problem = Self.problem(batchSize: batchSize, shuffle, sampler, prefetch: prefetch, threads: threads) {
      _ = Tensor.failed(operation: "DataLoader", message: problem)
    }
    self.init(
      fetch: { try dataset.batch($0) }, batchSize: max(1, batchSize), dropLast: dropLast,
      sampler: sampler ?? (shuffle ? RandomSampler(count: count, seed: seed ?? 0) : SequentialSampler(count: count)),
      datasetCount: count, prefetch: max(1, prefetch), threads: max(0, threads ?? (dataset.isImmediate ? 0 : 1)),
      takesSeed: shuffle && sampler == nil && seed == nil)
  }

  /// Creates a loader of the elements of a collection.
  ///
  /// - Parameter collate: makes a batch of elements; called on the loader's threads.
  ///
  /// The other parameters are those of the initializer that takes a dataset.
  public convenience init<Elements: RandomAccessCollection>(
    _ elements: Elements, batchSize: Int, shuffle: Bool = false, sampler: (any Sampler)? = nil, dropLast: Bool = false,
    seed: UInt64? = nil, prefetch: Int = 2, threads: Int? = nil,
    collate: @escaping @Sendable ([Elements.Element]) throws -> Batch
  ) {
    self.init(
      ArrayDataset(elements, collate: collate), batchSize: batchSize, shuffle: shuffle, sampler: sampler,
      dropLast: dropLast, seed: seed, prefetch: prefetch, threads: threads)
  }

  private init(
    fetch: @escaping ([Int]) throws -> Batch, batchSize: Int, dropLast: Bool, sampler: any Sampler, datasetCount: Int,
    prefetch: Int, threads: Int, takesSeed: Bool = false
  ) {
    self.fetch = fetch
    self.takesSeed = takesSeed
    super.init(
      batchSize: batchSize, dropLast: dropLast, sampler: sampler, datasetCount: datasetCount, prefetch: prefetch,
      threads: threads)
  }

  /// The loader of one rank's part of the same samples: the same order is drawn, then dealt out.
  ///
  /// Everything else stays, `batchSize` too, which is per rank. A loader that draws one rank's part already is
  /// returned as it is.
  ///
  /// - Parameter policy: `.padded` for training, `.unrepeated` for evaluation that counts every sample once.
  public override func distributed(worldSize: Int, rank: Int, policy: Shard.Policy) -> DataLoader {
    guard shard == nil else { return self }
    return drawing(ShardedSampler(sampler, shard: Shard(rank: rank, of: worldSize, policy: policy)))
  }

  /// The same loader with this seed for its order, when it shuffles and was made without one.
  public func seeded(_ seed: UInt64) -> DataLoader {
    takesSeed ? drawing(RandomSampler(count: datasetCount, seed: seed)) : self
  }

  /// The samples of the same loader in the order of the dataset.
  public func unshuffled() -> DataLoader { drawing(SequentialSampler(count: datasetCount)) }

  private func drawing(_ sampler: any Sampler) -> DataLoader {
    DataLoader(
      fetch: fetch, batchSize: batchSize, dropLast: dropLast, sampler: sampler, datasetCount: datasetCount,
      prefetch: prefetch, threads: threads)
  }

  /// The batches of an epoch, from batch number `batch` on; those before it are not loaded.
  ///
  /// Threads, if any, start at once and end with the iterator.
  public func iterator(epoch: Int, startingAt batch: Int = 0) -> LoaderIterator<Batch> {
    let source: BatchSource<Batch>
    do {
      source = BatchSource(
        fetch: fetch, order: try sampler.indices(epoch: epoch), batchSize: batchSize, dropLast: dropLast,
        datasetCount: datasetCount, epoch: epoch)
    } catch {
      return LoaderIterator(failure: DataLoadingError(batch: batch, epoch: epoch, indices: [], underlying: error))
    }
    return LoaderIterator(source, startingAt: max(0, batch), prefetch: prefetch, threads: threads)
  }

  public override func anyIterator(epoch: Int, startingAt batch: Int = 0) -> AnyLoaderIterator {
    iterator(epoch: epoch, startingAt: batch)
  }

  private static func problem(
    batchSize: Int, _ shuffle: Bool, _ sampler: (any Sampler)?, prefetch: Int, threads: Int?
  ) -> String? {
    if batchSize < 1 { return "batchSize is \(batchSize); give a number of samples that is at least 1" }
    if shuffle, sampler != nil { return "shuffle and sampler exclude each other; let the sampler shuffle" }
    if prefetch < 1 { return "prefetch is \(prefetch); give at least 1, or threads: 0 to load on the calling thread" }
    if let threads, threads < 0 { return "threads is \(threads); give 0 or more" }
    return nil
  }
}

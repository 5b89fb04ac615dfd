/// One rank's part of a dataset in training, index for index that of PyTorch's `DistributedSampler`.
///
/// All ranks have the same number of samples: those at the start are repeated, or with `dropLast` those at the end
/// left out.
public struct DistributedSampler: Sampler {
  private let sampler: ShardedSampler

  /// Creates the sampler of one rank.
  ///
  /// - Parameters:
  ///   - count: the number of samples of the dataset.
  ///   - shuffle: a new order in each epoch, from `seed` plus the epoch.
  public init(count: Int, worldSize: Int, rank: Int, shuffle: Bool = true, seed: UInt64 = 0, dropLast: Bool = false) {
    let base: any Sampler = shuffle ? RandomSampler(count: count, seed: seed) : SequentialSampler(count: count)
    sampler = ShardedSampler(base, shard: Shard(rank: rank, of: worldSize, policy: dropLast ? .dropped : .padded))
  }

  public var count: Int { sampler.count }
  public var shard: Shard? { sampler.shard }
  public func indices(epoch: Int) throws -> [Int] { try sampler.indices(epoch: epoch) }
}

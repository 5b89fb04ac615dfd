/// One rank's part of a dataset in evaluation: over all ranks every sample comes exactly once.
///
/// The last ranks may have one sample fewer than the first, or none at all.
public struct UnrepeatedSampler: Sampler {
  private let sampler: ShardedSampler

  /// Creates the sampler of one rank, in the order of the dataset.
  public init(count: Int, worldSize: Int, rank: Int) {
    sampler = ShardedSampler(
      SequentialSampler(count: count), shard: Shard(rank: rank, of: worldSize, policy: .unrepeated))
  }

  public var count: Int { sampler.count }
  public var shard: Shard? { sampler.shard }
  public func indices(epoch: Int) throws -> [Int] { try sampler.indices(epoch: epoch) }
}

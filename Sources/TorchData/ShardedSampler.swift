/// One rank's part of what another sampler draws: all ranks draw the same, then each takes its share.
///
/// So a weighted or a user's own sampler stays what it is when the run is distributed.
public struct ShardedSampler: Sampler {
  /// What draws for all ranks.
  public let base: any Sampler
  /// Whose part.
  public let part: Shard

  /// Creates a sampler of one part of `base`.
  public init(_ base: any Sampler, shard: Shard) {
    self.base = base
    part = shard
  }

  public var count: Int { base.count == 0 ? 0 : part.count(of: base.count) }
  public var shard: Shard? { part }

  public func indices(epoch: Int) throws -> [Int] {
    part.select(from: try base.indices(epoch: epoch))
  }
}

/// Ranks in rows and columns: the ranks of a row share one copy of the model, each row has a copy of its own.
///
/// Neighbouring ranks are in one row, so that a row of the size of a node stays inside it. With one row everything is
/// partitioned over all ranks, with rows of one rank nothing is.
public struct ShardMesh: Hashable, Sendable {
  /// The number of copies of the model.
  public let replicas: Int
  /// Among how many ranks a copy is partitioned.
  public let shards: Int

  /// All ranks share one copy.
  public init(all worldSize: Int) {
    replicas = 1
    shards = worldSize
  }

  /// - Throws: ``ConfigurationError`` when there are not `replicas` times `shards` ranks.
  public init(replicas: Int, shards: Int, worldSize: Int) throws(ConfigurationError) {
    guard replicas > 0, shards > 0, replicas * shards == worldSize else {
      let choices = (1...max(1, worldSize)).filter { worldSize % $0 == 0 }.map { "(\(worldSize / $0), \($0))" }
      throw ConfigurationError(
        "mesh",
        "a mesh of \(replicas) copies of the model over \(shards) ranks each has \(replicas * shards) places, and there "
          + "are \(worldSize) ranks",
        suggestion: "give (replicas, shards) as one of " + choices.joined(separator: ", "))
    }
    self.replicas = replicas
    self.shards = shards
  }

  public var worldSize: Int { replicas * shards }

  /// The place of a rank in its row: which part of a copy it has.
  public func shard(of rank: Int) -> Int { rank % shards }

  /// The row of a rank: which copy it has a part of.
  public func replica(of rank: Int) -> Int { rank / shards }

  /// The ranks that share a copy with `rank`.
  public func shardRanks(of rank: Int) -> [Int] { (0..<shards).map { replica(of: rank) * shards + $0 } }

  /// The ranks that have the same part as `rank`.
  public func replicaRanks(of rank: Int) -> [Int] { (0..<replicas).map { $0 * shards + shard(of: rank) } }
}

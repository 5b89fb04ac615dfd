internal import TorchDistributed

/// The process groups of the sharding engine. Gathers and reductions overlap, and each needs the same order on all ranks,
/// so they have groups of their own.
struct ShardGroups {
  let mesh: ShardMesh
  let rank: Int
  /// All ranks; nil when there is one only.
  let world: ProcessGroup?
  /// The ranks that share a copy of the model.
  let gathering: ProcessGroup?
  let reducing: ProcessGroup?
  /// The ranks that have the same part of a copy; nil with a single copy.
  let replicas: ProcessGroup?
  /// Compares what the ranks gather; nil where there is nobody to gather with, or a GPU that would have to be waited for.
  let order: GatherOrder?

  /// - Parameters:
  ///   - place: where the processes meet; nil for a single one.
  ///   - group: that of all ranks.
  ///   - units: what the units are called in errors.
  init(mesh: ShardMesh, place: ProcessWorld?, group: ProcessGroup?, timeout: Double, units: [String]) throws {
    self.mesh = mesh
    rank = group?.rank ?? 0
    world = mesh.worldSize > 1 ? group : nil
    guard let place, let group, mesh.worldSize > 1 else {
      (gathering, reducing, replicas, order) = (nil, nil, nil, nil)
      return
    }
    let (shardRanks, replicaRanks) = (mesh.shardRanks(of: rank), mesh.replicaRanks(of: rank))
    func make(_ name: String, _ ranks: [Int]) throws -> ProcessGroup? {
      guard ranks.count > 1 else { return nil }
      return try place.makeGroup(name, of: ranks, timeout: timeout, activity: group.activity)
    }
    gathering = try make("gather", shardRanks)
    reducing = try make("reduce", shardRanks)
    replicas = try make("replicas", replicaRanks)
    order = gathering.flatMap { $0.backend == .gloo ? GatherOrder($0, ranks: shardRanks, names: units) : nil }
  }

  /// The place of this rank among those that share a copy.
  var shard: Int { mesh.shard(of: rank) }
}

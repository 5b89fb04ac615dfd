import Testing

@testable import Stratagem

@Suite("Meshes of copies and shards")
struct ShardMeshTests {
  @Test("Neighbours share a copy")
  func layout() throws {
    let mesh = try ShardMesh(replicas: 2, shards: 3, worldSize: 6)
    #expect((0..<6).map(mesh.shard) == [0, 1, 2, 0, 1, 2])
    #expect((0..<6).map(mesh.replica) == [0, 0, 0, 1, 1, 1])
    #expect(mesh.shardRanks(of: 4) == [3, 4, 5])
    #expect(mesh.replicaRanks(of: 4) == [1, 4])
  }

  @Test("A mesh that does not fit the ranks tells which would")
  func misfit() {
    let error = #expect(throws: ConfigurationError.self) { try ShardMesh(replicas: 2, shards: 2, worldSize: 6) }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.contains("4 places") && text.contains("6 ranks"))
    #expect(text.contains("(6, 1), (3, 2), (2, 3), (1, 6)"))
  }

  @Test("Half of the mesh is found from the other half")
  func completion() throws {
    var options = ShardingOptions(.parameters)
    #expect(try options.mesh(worldSize: 6) == ShardMesh(replicas: 1, shards: 6, worldSize: 6))
    options.shards = 2
    #expect(try options.mesh(worldSize: 6) == ShardMesh(replicas: 3, shards: 2, worldSize: 6))
    options.shards = 4
    #expect(throws: ConfigurationError.self) { try options.mesh(worldSize: 6) }
    options.shards = nil
    options.replicas = 3
    #expect(try options.mesh(worldSize: 6) == ShardMesh(replicas: 3, shards: 2, worldSize: 6))
  }

  @Test("Options out of range are all named")
  func options() {
    var options = ShardingOptions(.parameters)
    options.bucketByteCount = 0
    options.persistenceThreshold = -1
    options.reduceType = .int64
    let error = #expect(throws: ConfigurationError.self) { try options.check() }
    #expect(error?.problems.map(\.parameter) == ["reduceType", "bucketByteCount", "persistenceThreshold"])
  }
}

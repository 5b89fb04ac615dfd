import Foundation
import Testing
import Torch

@testable import Stratagem

@Suite("Sharded checkpoints")
struct ShardedCheckpointTests {
  let folder: ScratchFolder

  init() throws { folder = try ScratchFolder() }

  private func save(_ count: Int, to path: String, partitioned: Bool) -> [(any Error)?] {
    ThreadRanks.run(count) { ranks in
      let checkpoint = SampleCheckpoint.held(by: ranks.rank, of: count, partitioned: partitioned)
      try ShardedCheckpointWriter(ranks: ranks, strategy: "test").save(checkpoint, to: path)
    }
  }

  @Test("What any number of ranks wrote is read as one checkpoint", arguments: [1, 2, 3, 5], [false, true])
  func roundTrip(count: Int, partitioned: Bool) throws {
    let path = "\(folder.path)/a.ckpt"
    #expect(save(count, to: path, partitioned: partitioned).allSatisfy { $0 == nil })
    #expect(folder.names("a.ckpt") == ["latest", "v1"])
    let files = (0..<count).map { "rank-0000\($0).safetensors" }
    #expect(folder.names("a.ckpt/v1") == ["common.ckpt", "manifest.json"] + files)
    let read = try Checkpoint.open(path)
    let expected = try fingerprint(.dictionary(SampleCheckpoint.contents()))
    #expect(try fingerprint(loaded(.dictionary(read.contents), of: read)) == expected)
    try read.source?.verify()
    // The ranks shared the bytes evenly.
    let sizes = try files.map { try folder.bytes("a.ckpt/v1/\($0)").count }
    #expect(sizes.max()! - sizes.min()! < 70_000, "\(sizes)")
    // Every file is a safetensors file of its own.
    for file in files { #expect(try !Safetensors.load("\(folder.path)/a.ckpt/v1/\(file)").isEmpty) }
  }

  @Test("Only the elements that are wanted are read, from wherever they are", arguments: [1, 3])
  func slices(count: Int) throws {
    let path = "\(folder.path)/a.ckpt"
    _ = save(count, to: path, partitioned: true)
    let read = try Checkpoint.open(path)
    let weights = try #require(read["state_dict"]?.dictionaryValue)
    let requests = try [
      ("fc.weight", 3..<29), ("embedding.weight", 99_990..<200_020), ("embedding.weight", 0..<1), ("fc.bias", 5..<5),
      ("scale", 0..<1),
    ].map { TensorRequest(try #require(weights[$0.0]?.tensorValue), $0.1) }
    try read.source?.read(requests)
    #expect(try requests[0].target.array(as: Float.self) == (3..<29).map { Float($0) * 0.5 })
    #expect(try requests[1].target.array(as: Float.self) == (99_990..<200_020).map { Float($0) })
    #expect(try requests[2].target.array(as: Float.self) == [0])
    #expect(requests[3].target.count == 0)
    #expect(try requests[4].target.array(as: Float.self) == [3])
  }

  @Test("Blocks are verified that are read, and no others")
  func blocks() throws {
    let path = "\(folder.path)/a.ckpt"
    _ = save(1, to: path, partitioned: false)
    let name = "a.ckpt/v1/rank-00000.safetensors"
    var bytes = try folder.bytes(name)
    #expect(bytes.count > 1 << 20, "there are two blocks")
    bytes[bytes.count - 1] ^= 1
    try folder.write(bytes, name)
    let read = try Checkpoint.open(path)
    let tensor = try #require(read["state_dict"]?["embedding.weight"]?.tensorValue)
    try read.source?.read([TensorRequest(tensor, 0..<100)])
    let whole = #expect(throws: FileError.self) { try read.source?.read([TensorRequest(tensor, 0..<tensor.count)]) }
    #expect(whole?.path == "\(folder.path)/\(name)")
    #expect(whole?.reason.contains("checksum of bytes 1048576..<") == true)
    #expect(throws: FileError.self) { try read.source?.verify() }
  }

  @Test("Tied tensors are written once and stay tied")
  func tied() throws {
    let path = "\(folder.path)/a.ckpt"
    let contents = SampleCheckpoint.contents(tied: true)
    try ShardedCheckpointWriter(ranks: SingleRank(), strategy: "test").save(Checkpoint(contents), to: path)
    let read = try Checkpoint.open(path)
    let weights = try #require(read["state_dict"]?.dictionaryValue)
    #expect(weights["head.weight"]?.tensorValue === weights["embedding.weight"]?.tensorValue)
    #expect(try folder.bytes("a.ckpt/v1/rank-00000.safetensors").count < 1_300_000)
  }

  @Test("A new version takes the place of the one before; a file and an empty folder give way")
  func replacing() throws {
    let path = "\(folder.path)/a.ckpt"
    try folder.write(Data("old".utf8), "a.ckpt")
    for version in [1, 2, 3] {
      #expect(save(2, to: path, partitioned: true).allSatisfy { $0 == nil })
      #expect(folder.names("a.ckpt") == ["latest", "v\(version)"])
    }
    #expect(folder.names() == ["a.ckpt"])
    // And back to a file.
    try FileCheckpointIO().save(Checkpoint(["epoch": 1]), to: path)
    #expect(try FileCheckpointIO().load(from: path).epoch == 1)
    #expect(folder.names() == ["a.ckpt"])
    try FileManager.default.createDirectory(atPath: "\(folder.path)/b", withIntermediateDirectories: true)
    #expect(save(1, to: "\(folder.path)/b", partitioned: false)[0] == nil)
    try ShardedFolder("\(folder.path)/b").remove()
    #expect(folder.names() == ["a.ckpt"])
  }

  @Test("Any path into a checkpoint leads to it, and a wrong one says where it is")
  func paths() throws {
    let path = "\(folder.path)/a.ckpt"
    _ = save(1, to: path, partitioned: false)
    for inside in ["", "/", "/latest", "/v1", "/v1/manifest.json", "/v1/rank-00000.safetensors", "/v1/common.ckpt"] {
      #expect(try Checkpoint.open(path + inside).epoch == 3, "\(inside)")
    }
    func reason(_ path: String) -> String {
      do { _ = try Checkpoint.open(path) } catch { return "\(error)" }
      return ""
    }
    #expect(reason(path + "/v2").contains("its parent folder is a checkpoint (sharded): give \(path)"))
    #expect(reason(folder.path).contains("it holds a.ckpt: give \(path)"))
    try FileManager.default.createDirectory(atPath: path + "/v1/sub", withIntermediateDirectories: true)
    #expect(reason(path + "/v1/sub").contains("its parent is one (sharded)"))
    #expect(reason("\(folder.path)/none.ckpt").contains("cannot open the file"))
  }
}

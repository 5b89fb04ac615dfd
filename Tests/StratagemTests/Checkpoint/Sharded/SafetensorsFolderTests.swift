import Foundation
import Testing
import Torch

@testable import Stratagem

@Suite("Safetensors in several files")
struct SafetensorsFolderTests {
  let folder: ScratchFolder

  init() throws { folder = try ScratchFolder() }

  private func values() throws -> [String: [Float]] {
    let checkpoint = try Checkpoint.open(folder.path)
    var result: [String: [Float]] = [:]
    for (key, value) in checkpoint["state_dict"]?.dictionaryValue ?? [:] {
      guard let tensor = value.tensorValue else { continue }
      result[key.text] = try checkpoint.load(tensor).flattened().array(as: Float.self)
    }
    return result
  }

  private var failure: String {
    do { _ = try values() } catch { return "\(error)" }
    return ""
  }

  private func writeIndex(_ map: String) throws {
    try folder.write(Data(#"{"metadata": {}, "weight_map": {\#(map)}}"#.utf8), "model.safetensors.index.json")
  }

  @Test("An index says which file has which tensor")
  func index() throws {
    try Safetensors.save(["a": Tensor([Float(1), 2])], to: "\(folder.path)/model-00001-of-00002.safetensors")
    try Safetensors.save(["b": Tensor([Float(3)])], to: "\(folder.path)/model-00002-of-00002.safetensors")
    try writeIndex(#""a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors""#)
    #expect(try values() == ["a": [1, 2], "b": [3]])
    try writeIndex(#""a": "model-00001-of-00002.safetensors", "c": "model-00002-of-00002.safetensors""#)
    #expect(failure.contains("'c' is not in model-00002-of-00002.safetensors, where model.safetensors.index.json says"))
    try writeIndex(#""a": "../model-00001-of-00002.safetensors""#)
    #expect(failure.contains("'a' is said to be in '../model-00001-of-00002.safetensors', which is no file beside it"))
    try writeIndex(#""a": "model-00007.safetensors""#)
    #expect(failure.contains("model-00007.safetensors: cannot open the file"))
    try folder.write(Data("{}".utf8), "model.safetensors.index.json")
    #expect(failure.contains("model.safetensors.index.json: is damaged: it has no 'weight_map'"))
  }

  /// As `HuggingFaceStorageWriter` writes them on two ranks.
  private func writeShards(of second: String = "[0, 2]") throws {
    let offsets = ["[0, 0]", second]
    for (rank, tensor) in [Tensor([Float(0), 1, 3, 4], shape: [2, 2]), Tensor([Float(2), 5], shape: [2, 1])]
      .enumerated()
    {
      try Safetensors.save(
        ["w": tensor], metadata: ["DCP_SHARDING_INFO": #"{"w": {"saved_offsets": \#(offsets[rank])}}"#],
        to: "\(folder.path)/shard-0000\(rank + 1)-model-00001-of-00001.safetensors")
    }
  }

  @Test("Every rank has a part of a tensor")
  func shards() throws {
    try writeShards()
    #expect(try values() == ["w": [0, 1, 2, 3, 4, 5]])
    for (place, what) in [
      ("[0, 1]", "'w' of shape [2, 2] is not whole"), ("[0, 3]", "elements 2..<3 are in no file"),
      ("[0]", "begins at [0]"), ("[-1, 2]", "begins at [-1, 2]"), ("[0, 9223372036854775807]", "begins at"),
      ("[0, 4611686018427387904]", "would have the shape"), (#""x""#, "says nothing of where its tensors begin"),
    ] {
      try writeShards(of: place)
      #expect(failure.contains(what), "\(place): \(failure)")
    }
    try FileManager.default.removeItem(atPath: "\(folder.path)/shard-00001-model-00001-of-00001.safetensors")
    try writeShards()
    try FileManager.default.removeItem(atPath: "\(folder.path)/shard-00001-model-00001-of-00001.safetensors")
    #expect(failure.contains("'w' of shape [2, 3] is not whole: elements 0..<2 are in no file"), "\(failure)")
  }
}

import Foundation
import Testing
import Torch

@testable import Stratagem

@Suite("Manifests that are damaged, or say what cannot be")
struct ManifestDamageTests {
  let folder: ScratchFolder
  let path: String
  let json: Data
  private static let manifest = "a.ckpt/v1/manifest.json"

  init() throws {
    folder = try ScratchFolder()
    path = "\(folder.path)/a.ckpt"
    let errors = ThreadRanks.run(2) { [path] ranks in
      let checkpoint = SampleCheckpoint.held(by: ranks.rank, of: 2)
      try ShardedCheckpointWriter(ranks: ranks, strategy: "test").save(checkpoint, to: path)
    }
    #expect(errors.allSatisfy { $0 == nil })
    json = try folder.bytes(Self.manifest)
  }

  private func failure(of bytes: Data) throws -> String {
    try folder.write(bytes, Self.manifest)
    do { try Checkpoint.open(path).source?.verify() } catch { return "\(error)" }
    return ""
  }

  /// What is said of a manifest whose bytes are those that were written, with another text in them.
  private func failure(replacing old: String, by new: String) throws -> String {
    let text = ManifestText.unsealed(json)
    #expect(text.contains(old), "\(old) in \(text)")
    return try failure(of: ManifestText.sealed(text.replacing(old, with: new, maxReplacements: 1)))
  }

  @Test("A byte that changed is noticed, whatever it stands for")
  func flippedBytes() throws {
    #expect(try failure(of: json) == "")
    for position in json.indices {
      var bytes = json
      bytes[position] ^= UInt8(1 << (position % 8))
      let error = try failure(of: bytes)
      #expect(error.contains("manifest.json': the manifest is damaged: "), "byte \(position): \(error)")
    }
    for count in stride(from: 0, to: json.count, by: 7) {
      #expect(try failure(of: json.prefix(count)).contains("the manifest is damaged"), "\(count) bytes")
    }
  }

  @Test("The first version of the format had no checksum of the manifest, and is read")
  func firstVersion() throws {
    let text = ManifestText.unsealed(json)
    #expect(try failure(of: Data(text.utf8)).contains("it does not begin with a checksum of itself"))
    let first = text.replacing(#""version":2"#, with: #""version":1"#)
    #expect(first != text)
    #expect(try failure(of: Data(first.utf8)) == "")
  }

  @Test(
    "Numbers without end are no reason to take memory, or to trap",
    arguments: [Int.max, 1 << 62, 1 << 40, -1])
  func sizes(number: Int) throws {
    for (old, what) in [
      (#""bytes":"#, "bytes"), (#""blockBytes":"#, "the checksums of rank-00000.safetensors do not fit its size"),
      (#""file":"#, "the pieces of"), (#""offset":"#, "the pieces of"), (#""start":"#, "the pieces of"),
      (#""count":"#, "the pieces of"), (#""shape":["#, "embedding.weight"),
      (#""worldSize":"#, number < 0 ? "2 files are of -1 ranks" : ""),
      (#""optimizer":"#, "'fc.weight' of optimizer \(number), but there are 1 optimizers|is of no optimizer"),
    ] where !what.isEmpty {
      let text = ManifestText.unsealed(json)
      let place = try #require(text.firstRange(of: old))
      let end = try #require(text[place.upperBound...].firstIndex { !$0.isNumber })
      let error = try failure(replacing: String(text[place.lowerBound..<end]), by: "\(old)\(number)")
      // A large block has one checksum still.
      guard !(old == #""blockBytes":"# && number > 0 && error.isEmpty) else { continue }
      #expect(what.split(separator: "|").contains { error.contains($0) }, "\(old)\(number): \(error)")
    }
  }

  @Test("What stands twice, overlaps, is nowhere or elsewhere")
  func contradictions() throws {
    #expect(
      try failure(replacing: "rank-00001.safetensors", by: "rank-00000.safetensors").contains(
        "the file rank-00000.safetensors stands twice in it"))
    for name in ["../v1/rank-00000.safetensors", "\(path)/v1/rank-00000.safetensors", "..", ""] {
      #expect(
        try failure(replacing: "rank-00000.safetensors", by: name).contains("'\(name)' is no name of a file beside it"))
    }
    #expect(
      try failure(replacing: "common.ckpt", by: "manifest.json").contains("the file manifest.json stands twice in it"))
    #expect(try failure(replacing: #""key":"fc.bias""#, by: #""key":"scale""#).contains("'scale' stands twice in it"))
    #expect(
      try failure(replacing: #""aliases":{}"#, by: #""aliases":{"head":"tail"}"#).contains(
        "'head' stands for 'tail', which is not in it"))
    #expect(
      try failure(replacing: #""aliases":{}"#, by: #""aliases":{"scale":"count"}"#).contains(
        "'scale' is a tensor and stands for 'count'"))
    let state = #""state":"exp_avg""#
    #expect(try failure(replacing: state, by: #""state":"note""#).contains("'note' of 'fc.weight' stands twice in it"))
    // Bytes of one tensor as those of another.
    let text = ManifestText.unsealed(json)
    let offsets = text.matches(of: /"file":0,"offset":(\d+)/)
    let (first, second) = (try #require(offsets.first?.output.0), try #require(offsets.dropFirst().first?.output.0))
    let error = try failure(replacing: String(second), by: String(first))
    #expect(error.contains("have the same bytes of rank-00000.safetensors") || error.contains("do not make it up"))
  }

  @Test("Files in each other's place, of another step, and links that lead nowhere")
  func files() throws {
    func name(_ rank: Int) -> String { "\(path)/v1/rank-0000\(rank).safetensors" }
    let manager = FileManager.default
    try manager.moveItem(atPath: name(0), toPath: name(7))
    try manager.moveItem(atPath: name(1), toPath: name(0))
    try manager.moveItem(atPath: name(7), toPath: name(1))
    #expect(try failure(of: json).contains("rank-00000.safetensors: is "))
    try manager.removeItem(atPath: name(0))
    try manager.createSymbolicLink(atPath: name(0), withDestinationPath: "\(folder.path)/nowhere")
    #expect(try failure(of: json).contains("rank-00000.safetensors: cannot open the file: No such file"))
  }

  @Test("A damaged block names the tensors that lie in it")
  func block() throws {
    let name = "a.ckpt/v1/rank-00001.safetensors"
    var bytes = try folder.bytes(name)
    bytes[bytes.count - 1] ^= 1
    try folder.write(bytes, name)
    let error = try failure(of: json)
    #expect(error.contains("rank-00001.safetensors: is damaged: the checksum of bytes 0..<\(bytes.count)"), "\(error)")
    #expect(error.contains("'fc.weight'"), "\(error)")
  }

  @Test("A version that is a link is not followed when it is removed")
  func link() throws {
    try FileManager.default.createDirectory(atPath: "\(folder.path)/elsewhere", withIntermediateDirectories: true)
    try folder.write(Data("mine".utf8), "elsewhere/notes.txt")
    try FileManager.default.createSymbolicLink(
      atPath: "\(path)/v7", withDestinationPath: "\(folder.path)/elsewhere")
    try ShardedCheckpointWriter(ranks: SingleRank(), strategy: "test").save(
      Checkpoint(SampleCheckpoint.contents()), to: path)
    #expect(folder.names("a.ckpt") == ["latest", "v8"])
    #expect(folder.names("elsewhere") == ["notes.txt"])
    try FileManager.default.createSymbolicLink(
      atPath: "\(path)/v7", withDestinationPath: "\(folder.path)/elsewhere")
    try ShardedFolder(path).remove()
    #expect(folder.names() == ["elsewhere"] && folder.names("elsewhere") == ["notes.txt"])
  }
}

import Foundation
import Stratagem
import Testing
import Torch
import TorchNN

@testable import StratagemCLI

@Suite("Files named by flags")
final class FileTests {
  private let folder = NSTemporaryDirectory() + "stratagem-cli-\(UUID().uuidString)"

  init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: folder) }

  @Test("weights are read from a checkpoint, a state dictionary and a safetensors file")
  func weights() throws {
    let weight = Tensor([Float(3), 4], shape: [1, 2])
    let state: ArchiveDictionary = ["fc.weight": .tensor(weight)]
    try TorchFile.save(.dictionary(["epoch": 3, "state_dict": .dictionary(state)]), to: folder + "/a.ckpt")
    try TorchFile.save(.dictionary(state), to: folder + "/b.pt")
    try Safetensors.save(["fc.weight": weight], to: folder + "/c.safetensors")
    for name in ["a.ckpt", "b.pt", "c.safetensors"] {
      let model = ProbeModel()
      try WeightsFile.load("\(folder)/\(name)", into: model)
      #expect(try model.fc.weight.array(as: Float.self) == [3, 4], "\(name)")
    }
  }

  @Test("weights of another model are refused with every key that does not fit")
  func otherModel() throws {
    let path = folder + "/other.safetensors"
    try Safetensors.save(["fc.weight": .zeros([2, 2]), "more": .zeros([1])], to: path)
    let model = ProbeModel()
    let before = try model.fc.weight.array(as: Float.self)
    let error = #expect(throws: CheckpointError.self) { try WeightsFile.load(path, into: model) }
    let text = "\(try #require(error))"
    #expect(text.contains(path))
    #expect(text.contains("fc.weight: expected [1, 2], found [2, 2]"))
    #expect(text.contains("unexpected: more"))
    #expect(try model.fc.weight.array(as: Float.self) == before)
  }

  @Test("a file without weights is refused")
  func noWeights() throws {
    try TorchFile.save(.dictionary(["epoch": 3]), to: folder + "/none.ckpt")
    #expect(throws: CheckpointError.self) { try WeightsFile.load(folder + "/none.ckpt", into: ProbeModel()) }
    #expect(throws: FileError.self) { try WeightsFile.load(folder + "/missing.ckpt", into: ProbeModel()) }
  }

  @Test("a folder for outputs may be missing, but not stand on a file")
  func writableFolder() throws {
    try Data().write(to: URL(fileURLWithPath: folder + "/file"))
    try WritableFolder.check(folder, flag: "--output")
    try WritableFolder.check(folder + "/new/deeper/", flag: "--output")
    #expect(throws: ConfigurationError.self) { try WritableFolder.check(folder + "/file", flag: "--output") }
    #expect(throws: ConfigurationError.self) { try WritableFolder.check(folder + "/file/x", flag: "--output") }
    #expect(throws: ConfigurationError.self) {
      try WritableFolder.check(folder + "/new", flag: "--predictions", mustExist: true)
    }
    #expect(!FileManager.default.fileExists(atPath: folder + "/new"))
  }

  @Test(
    "the folder of a path",
    arguments: [("a/b", "a"), ("a", "."), ("/a", "/"), ("/a/b/", "/a"), ("/", "/")])
  func parents(_ path: String, _ parent: String) {
    #expect(WritableFolder.parent(of: path) == parent)
  }
}

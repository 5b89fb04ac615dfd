import Foundation
import Testing
import Torch

@testable import Stratagem

@Suite("DeepSpeed's folders of pipelines and of mixtures of experts")
struct DeepSpeedWeightsTests {
  let folder: ScratchFolder

  init() throws { folder = try ScratchFolder() }

  private func save(_ value: ArchiveValue, _ name: String) throws {
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/\(name.prefix { $0 != "/" })", withIntermediateDirectories: true)
    try TorchFile.save(value, to: "\(folder.path)/\(name)")
  }

  private func reason(_ name: String, weightsOnly: Bool = true) -> String {
    do { _ = try CheckpointConverter("\(folder.path)/\(name)", weightsOnly: weightsOnly) } catch { return "\(error)" }
    return ""
  }

  private func weights(_ name: String) throws -> [String: [Float]] {
    let file = "\(folder.path)/\(name).safetensors"
    try CheckpointConverter("\(folder.path)/\(name)", weightsOnly: true).write(to: file, as: .safetensors)
    let loaded = try Safetensors.load(file)
    return Dictionary(uniqueKeysWithValues: try loaded.map { ($0.key, try $0.value.array(as: Float.self)) })
  }

  @Test("The layers of a pipeline")
  func pipeline() throws {
    for layer in 0..<3 {
      let value: ArchiveValue = layer == 1 ? [:] : ["weight": .tensor(Tensor([Float(layer), 1]))]
      try save(value, "pipe/layer_0\(layer)-model_states.pt")
    }
    for rank in 0..<2 {
      try save(
        ["module": ArchiveValue.none, "global_steps": 7, "mp_world_size": 2], "pipe/mp_rank_0\(rank)_model_states.pt")
    }
    #expect(try weights("pipe") == ["0.weight": [0, 1], "2.weight": [2, 1]])
    #expect(try Checkpoint.open("\(folder.path)/pipe").globalStep == 7)
    #expect(
      reason("pipe", weightsOnly: false).contains("it is of a pipeline of DeepSpeed, of which the weights are read"))
    #expect(reason("pipe", weightsOnly: false).contains("give --weights-only"))
    try FileManager.default.removeItem(atPath: "\(folder.path)/pipe/layer_01-model_states.pt")
    #expect(
      reason("pipe").contains(
        "a file between layer_00-model_states.pt and layer_02-model_states.pt is missing"))
    try save([:], "pipe/layer_01-model_01-model_states.pt")
    #expect(reason("pipe").contains("tensor parallelism cut into parts (layer_01-model_01-model_states.pt)"))
  }

  @Test("Experts beside the rest of the model")
  func experts() throws {
    try save(
      ["module": ["a.weight": .tensor(Tensor([Float(5)]))], "global_steps": 7], "moe/mp_rank_00_model_states.pt")
    for expert in 0..<3 {
      try save(
        ["moe.experts.\(expert).weight": .tensor(Tensor([Float(expert)]))],
        "moe/layer_0_expert_\(expert)_mp_rank_00_model_states.pt")
    }
    #expect(
      try weights("moe") == [
        "a.weight": [5], "moe.experts.0.weight": [0], "moe.experts.1.weight": [1], "moe.experts.2.weight": [2],
      ])
    #expect(reason("moe", weightsOnly: false).contains("it is of a mixture of experts of DeepSpeed"))
    try FileManager.default.removeItem(atPath: "\(folder.path)/moe/layer_0_expert_1_mp_rank_00_model_states.pt")
    #expect(reason("moe").contains("a file between layer_0_expert_0"))
  }
}

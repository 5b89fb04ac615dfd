import Foundation
import Testing
import Torch

@testable import Stratagem

/// Folders that PyTorch wrote (`Tests/Reference/foreign_checkpoints.py`) and DeepSpeed (`deepspeed_checkpoints.py` there).
@Suite("Checkpoints of PyTorch's and DeepSpeed's that are folders")
struct ForeignCheckpointTests {
  private static func reference(_ name: String) -> String {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { url.deleteLastPathComponent() }
    return url.appendingPathComponent("Reference/Data/\(name)").path
  }

  /// Weights and state of the optimizer; DeepSpeed counts steps as a number in one stage and as a tensor in others.
  private func summary(_ checkpoint: Checkpoint) throws -> [String] {
    var lines = [String]()
    for (key, value) in checkpoint["state_dict"]?.dictionaryValue ?? [:] {
      lines.append("\(key) \(try fingerprint(loaded(value, of: checkpoint)))")
    }
    for optimizer in checkpoint["optimizer_states"]?.listValue ?? [] {
      for (index, entries) in optimizer["state"]?.dictionaryValue ?? [:] {
        for (key, value) in entries.dictionaryValue ?? [:] {
          if key == "step" {
            let step =
              try value.intValue.map { Double($0) } ?? value.tensorValue.map { try checkpoint.load($0).scalar() }
            lines.append("\(index) step \(step ?? .nan)")
          } else {
            lines.append("\(index) \(key) \(try fingerprint(loaded(value, of: checkpoint)))")
          }
        }
      }
      for group in optimizer["param_groups"]?.listValue ?? [] { lines.append(try fingerprint(group)) }
    }
    return lines.sorted()
  }

  @Test(
    "They hold what the single file holds",
    arguments: [
      ("distributed", "distributed.ckpt"), ("distributed/.metadata", "distributed.ckpt"), ("fsdp2", "fsdp2.ckpt"),
      ("deepspeed-0", "deepspeed-0.ckpt"), ("deepspeed-1", "deepspeed-1.ckpt"),
      ("deepspeed-1-bf16", "deepspeed-1-bf16.ckpt"), ("deepspeed-1-elastic", "deepspeed-1-elastic.ckpt"),
      ("deepspeed-2", "deepspeed-2.ckpt"), ("deepspeed-3", "deepspeed-3.ckpt"),
      ("deepspeed-3/checkpoint", "deepspeed-3.ckpt"),
    ])
  func same(folder: String, file: String) throws {
    let found = try Checkpoint.open(Self.reference(folder))
    let expected = Checkpoint(try #require(TorchFile.load(Self.reference(file)).dictionaryValue))
    #expect(try summary(found) == summary(expected))
    #expect(found.epoch == expected.epoch && found.globalStep == expected.globalStep)
    try found.source?.verify()
  }

  @Test(
    "Only what is wanted is read of them",
    arguments: ["distributed", "fsdp2", "deepspeed-1", "deepspeed-1-bf16", "deepspeed-3"])
  func slices(folder: String) throws {
    let read = try Checkpoint.open(Self.reference(folder))
    let weights = try #require(read["state_dict"]?.dictionaryValue)
    for (key, value) in weights {
      let placeholder = try #require(value.tensorValue)
      let whole = try fingerprint(.tensor(read.load(placeholder).flattened()))
      var parts: [Tensor] = []
      for start in stride(from: 0, to: placeholder.count, by: 4) {
        let request = TensorRequest(placeholder, start..<min(start + 4, placeholder.count))
        try read.source?.read([request])
        parts.append(request.target)
      }
      #expect(try fingerprint(.tensor(Tensor.cat(parts))) == whole, "\(key)")
    }
  }

  @Test(
    "Through every form and back",
    arguments: ["distributed", "fsdp2", "deepspeed-1", "deepspeed-1-bf16", "deepspeed-2", "deepspeed-3"])
  func conversions(folder: String) throws {
    let scratch = try ScratchFolder()
    let expected = try summary(Checkpoint.open(Self.reference(folder)))
    func convert(_ input: String, _ output: String) throws -> String {
      let path = "\(scratch.path)/\(output)"
      try CheckpointConverter(input).write(to: path, as: CheckpointConverter.Format(path: path))
      return path
    }
    let sharded = try convert(Self.reference(folder), "sharded")
    #expect(try summary(Checkpoint.open(sharded)) == expected)
    let file = try convert(sharded, "file.ckpt")
    #expect(try summary(Checkpoint.open(file)) == expected)
    #expect(try summary(FileCheckpointIO().load(from: file)) == expected)
    let again = try convert(file, "again")
    #expect(try summary(Checkpoint.open(again)) == expected)
    let safe = try convert(again, "weights.safetensors")
    let weights = expected.filter { $0.hasPrefix("'") }
    #expect(try summary(Checkpoint.open(safe)) == weights)
    #expect(try summary(Checkpoint.open(convert(safe, "from-weights"))) == weights)
  }

  @Test("Parts that are missing are named")
  func damage() throws {
    let scratch = try ScratchFolder()
    func copy(_ name: String) throws -> String {
      try FileManager.default.copyItem(atPath: Self.reference(name), toPath: "\(scratch.path)/\(name)")
      return "\(scratch.path)/\(name)"
    }
    func reason(_ path: String) -> String {
      do {
        let checkpoint = try Checkpoint.open(path)
        _ = try summary(checkpoint)
      } catch { return "\(error)" }
      return ""
    }
    let distributed = try copy("distributed")
    // A key that is not the one that leads to it.
    let metadata = try scratch.bytes("distributed/.metadata")
    let key = Data("optimizer_0.state.fc1.bias.exp_avg_sq".utf8)
    var reasons: [String] = []
    var rest = metadata.startIndex..<metadata.endIndex
    while let place = metadata.range(of: key, in: rest) {
      var changed = metadata
      changed[place.lowerBound + 20] ^= 1
      try scratch.write(changed, "distributed/.metadata")
      reasons.append(reason(distributed))
      rest = place.upperBound..<metadata.endIndex
    }
    #expect(reasons.count > 1 && reasons.allSatisfy { !$0.isEmpty }, "\(reasons)")
    #expect(
      reasons.contains { $0.contains("it is damaged: the keys that lead to 'optimizer_0.state.fc1.") }, "\(reasons)")
    try scratch.write(metadata, "distributed/.metadata")
    try FileManager.default.removeItem(atPath: "\(distributed)/__1_0.distcp")
    #expect(reason(distributed).contains("__1_0.distcp"))
    let speed = try copy("deepspeed-1")
    try FileManager.default.removeItem(atPath: "\(speed)/checkpoint/zero_pp_rank_1_mp_rank_00_optim_states.pt")
    #expect(reason(speed).contains("the file '*_optim_states.pt' of rank 1 is missing"))
    let last = try copy("deepspeed-3")
    try FileManager.default.removeItem(atPath: "\(last)/checkpoint/zero_pp_rank_1_mp_rank_00_optim_states.pt")
    #expect(reason(last).contains("it was written by 2 ranks, but there are '*_optim_states.pt' of 1"))
  }
}

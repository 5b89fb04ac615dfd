import Foundation
import Testing
import Torch

@Suite("stratagem inspect")
struct InspectTests {
  private func inspect(_ arguments: String...) throws -> ProgramRun {
    try ProgramRun("stratagem", ["inspect"] + arguments)
  }

  @Test("A checkpoint of a run: who, when, how, and every weight")
  func checkpoint() throws {
    let folder = try TemporaryFolder()
    try ProgramRun(
      "digits", ["fit", "--epochs", "1", "--trainer.limitTrainBatches=5", "--output", folder.path, "--model.hidden=12"]
    ).succeeded()
    let path = "\(folder.path)/last.ckpt"
    let text = try inspect(path).succeeded().output
    let size = try #require(folder.bytes("last.ckpt")).count
    #expect(text.hasPrefix("\(path): checkpoint, torch.save, \(String(format: "%.1f", Double(size) / 1000)) kB\n"))
    #expect(text.contains("\nepoch 0, step 5, written by Stratagem on 1 process, layout of Lightning 2."))
    #expect(text.contains("\nhyper-parameters\n  hidden        12\n  lr            0.1\n  momentum      0.9\n"))
    #expect(text.contains("\noptimizers\n  0          SGD with momentum, 4 state tensors, 3.64 kB\n"))
    #expect(text.contains("    group 0  4 parameters, lr: 0.1, momentum: 0.9"))
    #expect(text.contains("│ fc1.weight │ [12, 64] │ float32 │ 3,072 │"))
    #expect(text.contains("\n4 tensors, 910 elements, 3.64 kB; with optimizer and other state "))
    let order = ["fc1.bias", "fc1.weight", "fc2.bias", "fc2.weight"].map { text.range(of: "│ \($0)")!.lowerBound }
    #expect(order == order.sorted())

    let all = try inspect(path, "--all").succeeded().output
    #expect(all.contains("optimizer_states.0.state.0.momentum_buffer"))
    let data = Data(try inspect(path, "--json").succeeded().output.utf8)
    let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(json["epoch"] as? Int == 0)
    #expect(json["global_step"] as? Int == 5)
    #expect(json["written_by"] as? String == "Stratagem")
    #expect((json["hyper_parameters"] as? [String: Any])?["hidden"] as? Int == 12)
    let tensors = try #require(json["tensors"] as? [[String: Any]])
    #expect(tensors.map { $0["key"] as? String } == ["fc1.bias", "fc1.weight", "fc2.bias", "fc2.weight"])
    #expect(tensors[1]["shape"] as? [Int] == [12, 64])
    #expect((json["totals"] as? [String: Any])?["weight_bytes"] as? Int == 3640)
  }

  @Test("One that Python's Lightning layout tests wrote, and a plain state_dict")
  func others() throws {
    let lightning = try inspect(Repository.reference("digits-mlp.ckpt")).succeeded().output
    #expect(lightning.contains("written by Lightning "))
    let plain = try inspect(Repository.reference("state-dict.pt")).succeeded().output
    #expect(plain.contains(": tensors, torch.save, "))
    #expect(!plain.contains("epoch"))
    let safe = try inspect(Repository.reference("w1.safetensors")).succeeded().output
    #expect(safe.contains(": tensors, safetensors, "))
    #expect(safe.contains("fc1.weight"))
  }

  @Test("The values and statistics of a tensor", arguments: ["a.pt", "a.safetensors"])
  func tensor(name: String) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/\(name)"
    let values = Tensor([Float(1), 2, 3, .nan, 0, -.infinity], shape: [2, 3])
    if name.hasSuffix("pt") {
      try TorchFile.save(.dictionary(["state_dict": ["x.y": .tensor(values)]]), to: path)
    } else {
      try Safetensors.save(["x.y": values], to: path)
    }
    let text = try inspect(path, "--tensor", "x.y").succeeded().output
    #expect(
      text == """
        x.y: shape [2, 3], float32, 6 elements, 24 B
        minimum 0.0, maximum 3.0, mean 1.5, standard deviation 1.2909944487358056
        1 zeros, 2 not finite
        tensor([[1., 2., 3.],
                [nan, 0., -inf]])

        """)
    let wrong = try inspect(path, "--tensor", "x.z")
    #expect(wrong.status == 1)
    #expect(wrong.errors.hasPrefix("Error: there is no tensor 'x.z' in \(path); near it: x.y"))
    let json = try inspect(path, "--tensor", "x.y", "--json").succeeded().output
    #expect(json.contains("\"not_finite\": 2"))
  }

  @Test("Names sort as people count, and control characters do not reach the terminal")
  func names() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/names.safetensors"
    let one = Tensor([Float(1)])
    try Safetensors.save(["layer.10.w": one, "layer.2.w": one, "bad\u{1b}[31m": one], to: path)
    let text = try inspect(path).succeeded().output
    #expect(!text.contains("\u{1b}"))
    #expect(text.range(of: "layer.2.w")!.lowerBound < text.range(of: "layer.10.w")!.lowerBound)
    #expect(text.contains("3 tensors, 3 elements, 12 B\n"))
  }

  @Test("A tensor larger than the memory that is left is described, not loaded")
  func large() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/large.safetensors"
    // 64 GB that take no room on the disk.
    let count = 16 << 30
    let header = #"{"w":{"dtype":"F32","shape":[\#(count)],"data_offsets":[0,\#(4 * count)]}}"#
    var bytes = Data(withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) })
    bytes.append(Data(header.utf8))
    try bytes.write(to: URL(filePath: path))
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    try file.truncate(atOffset: UInt64(bytes.count + 4 * count))
    try file.close()
    #expect(try inspect(path).succeeded().output.contains("17,179,869,184 elements, 68.7 GB"))
  }

  @Test("Damage is one clear sentence")
  func damage() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.ckpt"
    let state: ArchiveDictionary = ["w": .tensor(Tensor([Float](repeating: 1.5, count: 1000)))]
    try TorchFile.save(.dictionary(["state_dict": .dictionary(state)]), to: path)
    var bytes = try #require(folder.bytes("a.ckpt"))
    func failure(_ data: Data, _ arguments: String...) throws -> String {
      try data.write(to: URL(filePath: path))
      let run = try ProgramRun("stratagem", ["inspect", path] + arguments)
      #expect(run.status == 1)
      #expect(run.output == "")
      #expect(run.errorLines.count == 1)
      return run.errors
    }
    #expect(try failure(bytes.prefix(bytes.count / 2)).contains("is truncated or damaged"))
    #expect(try failure(Data()).contains("is empty"))
    #expect(try failure(Data("hello, hello".utf8)).contains("is not a PyTorch file"))
    // One bit of a weight.
    let place = try #require(bytes.range(of: Data([0, 0, 0xC0, 0x3F, 0, 0, 0xC0, 0x3F]))).lowerBound + 2
    bytes[place] ^= 4
    #expect(try failure(bytes).contains("its checksum does not match"))
    try ProgramRun("stratagem", ["inspect", path, "--no-verify"]).succeeded()
    let missing = try ProgramRun("stratagem", ["inspect", "/nonexistent.ckpt"])
    #expect(missing.status == 1)
    #expect(missing.errors.contains("/nonexistent.ckpt"))
  }
}

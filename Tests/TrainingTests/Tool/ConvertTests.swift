import Foundation
import Testing
import Torch

@Suite("stratagem convert")
struct ConvertTests {
  private func tool(_ arguments: String...) throws -> ProgramRun { try ProgramRun("stratagem", arguments) }

  @Test("A sharded checkpoint of three ranks as a file and back, and every form goes on to the same end")
  func forms() throws {
    let options = [
      "train=36", "batch=4", "epochs=2", "optimizer=adamw", "lr=0.01", "schedule=cosine", "shuffle", "val=-1",
    ]
    let whole = try ProbeRun("fit", 3, options: options).succeeded()
    let part = try ProbeRun("fit", 3, options: options + ["steps=4", "state=sharded"]).succeeded()
    let sharded = "\(part.folder.path)/checkpoints/last.ckpt"
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/file.ckpt"
    let text = try tool("convert", sharded, file).succeeded().output
    #expect(text.hasPrefix("\(file): torch.save, ") && text.contains("tensors, "), "\(text)")
    let again = "\(folder.path)/again"
    try tool("convert", file, again).succeeded()
    #expect(folder.names(in: "again") == ["latest", "v1"])
    for path in [file, again] {
      let rest = try ProbeRun("fit", 3, options: options + ["resume=\(path)"]).succeeded()
      #expect(rest.weightSums == whole.weightSums, "\(path)")
    }
    // The file is what a run that writes files has written.
    let plain = try ProbeRun("fit", 3, options: options + ["steps=4"]).succeeded()
    let (found, expected) = (
      try CheckpointFile(file), try CheckpointFile("\(plain.folder.path)/checkpoints/last.ckpt")
    )
    #expect(try largestDifference(found, expected) == 0)
    #expect(Set(found.contents.keys.map(\.description)) == Set(expected.contents.keys.map(\.description)))
    #expect("\(found.contents["loops"]!)" == "\(expected.contents["loops"]!)")
    let safe = "\(folder.path)/weights.safetensors"
    try tool("convert", again, safe).succeeded()
    let weights = try Safetensors.load(safe)
    for (name, values) in try expected.weights() {
      #expect(try weights[name]?.to(.float64).array(as: Double.self) == values, "\(name)")
    }
  }

  @Test("A device is not replaced by a file")
  func device() throws {
    let folder = try TemporaryFolder()
    let pipe = "\(folder.path)/pipe.safetensors"
    try #require(mkfifo(pipe, 0o600) == 0)
    let run = try tool("convert", Repository.reference("w1.safetensors"), pipe, "--overwrite")
    #expect(run.status == 1)
    #expect(run.errors.contains("pipe.safetensors: cannot be written: it is a device, pipe or socket"), "\(run.errors)")
    #expect(folder.names() == ["pipe.safetensors"])
  }

  @Test("Inspecting folders")
  func inspect() throws {
    let run = try ProbeRun("fit", 2, "epochs=1", "state=sharded").succeeded()
    let path = "\(run.folder.path)/checkpoints/last.ckpt"
    let text = try tool("inspect", path).succeeded().output
    #expect(text.hasPrefix("\(path): checkpoint, sharded, "), "\(text)")
    #expect(text.contains("\nepoch 0, step ") && text.contains("written by Stratagem on 2 processes"))
    #expect(text.contains("strategy") && text.contains("ddp") && text.contains("fc1.weight"))
    let values = try tool("inspect", path, "--tensor", "fc2.bias").succeeded().output
    #expect(values.hasPrefix("fc2.bias: shape [3], float32, 3 elements"))
    let name = "checkpoints/last.ckpt/v1/rank-00001.safetensors"
    var bytes = try #require(run.folder.bytes(name))
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: URL(filePath: "\(run.folder.path)/\(name)"))
    let damaged = try tool("inspect", path)
    #expect(damaged.status == 1 && damaged.errors.contains("\(name): is damaged"))
    for name in ["distributed", "deepspeed-1", "deepspeed-3"] {
      let text = try tool("inspect", Repository.reference(name)).succeeded().output
      #expect(text.contains("fc1.weight") && text.contains("\nepoch 2, step 3"), "\(text)")
    }
  }

  @Test("What cannot be done is told in one line")
  func failures() throws {
    let folder = try TemporaryFolder()
    try folder.write("here", to: "there.ckpt")
    let reference = Repository.reference("distributed")
    func failure(_ arguments: String...) throws -> String {
      let run = try ProgramRun("stratagem", ["convert"] + arguments)
      #expect(run.status != 0)
      return run.errors
    }
    #expect(try failure(reference, "\(folder.path)/there.ckpt").contains("there.ckpt exists already"))
    #expect(folder.text("there.ckpt") == "here")
    try tool("convert", reference, "\(folder.path)/there.ckpt", "--overwrite", "--weights-only").succeeded()
    #expect(try CheckpointFile("\(folder.path)/there.ckpt").contents["optimizer_states"] == nil)
    #expect(try failure("\(folder.path)/none.ckpt", "\(folder.path)/a").contains("none.ckpt: cannot open the file"))
    #expect(
      try failure(folder.path, "\(folder.path)/a").contains("it holds there.ckpt: give \(folder.path)/there.ckpt"))
    #expect(try failure(reference, "\(folder.path)/a", "--to", "onnx").contains("'onnx'"))
    #expect(folder.names() == ["there.ckpt"])
  }

  @Test(
    "PyTorch opens what was a folder, and goes on from it",
    .enabled(
      if: Repository.python != nil, "there is no Python with PyTorch; `Tests/Reference/generate` sets it up"))
  func opensInPython() throws {
    let folder = try TemporaryFolder()
    try ProgramRun(
      "digits",
      [
        "fit", "--weights", Repository.reference("w1.safetensors"), "--optimizer", "adamw", "--lr", "0.01",
        "--schedule", "step", "--max-steps", "50", "--devices", "2", "--output", folder.path, "--json",
        "--trainer.stateDictType=sharded",
      ]
    ).succeeded()
    try tool("convert", "\(folder.path)/last.ckpt", "\(folder.path)/file.ckpt").succeeded()
    let report = try Python.checkCheckpoint("\(folder.path)/file.ckpt")
    #expect(report.globalStep == 50 && report.optimizer == "AdamW")
    #expect(report.lossAfterStep < report.loss)
  }
}

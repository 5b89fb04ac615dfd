import Foundation
import Testing
import Torch

@Suite("Checkpoints that cannot be used, or written")
struct BadCheckpointTests {
  @Test("Missing, truncated, or none at all", arguments: [1, 2])
  func unreadable(ranks: Int) throws {
    let run = try ProbeRun("fit", ranks, "epochs=1").succeeded()
    let good = try #require(run.folder.bytes("checkpoints/last.ckpt"))
    let folder = try TemporaryFolder()
    try good.prefix(good.count / 2).write(to: URL(filePath: "\(folder.path)/half.ckpt"))
    try Data(good.prefix(good.count - 30)).write(to: URL(filePath: "\(folder.path)/nearly.ckpt"))
    try folder.write("epoch,step\n", to: "text.ckpt")
    try folder.write("", to: "empty.ckpt")
    for name in ["none", "half", "nearly", "text", "empty"] {
      let path = "\(folder.path)/\(name).ckpt"
      let resumed = try ProbeRun("fit", ranks, "epochs=2", "resume=\(path)", folder: run.folder)
      #expect(resumed.status == 1, "\(name)")
      #expect(resumed.failure.contains(path), "\(resumed.run.errors)")
      #expect(resumed.run.errorLines.count { $0.hasPrefix("Error: ") } == 1)
    }
    #expect(run.folder.bytes("checkpoints/last.ckpt") == good)
  }

  @Test("Of another model: every key that does not fit, with both shapes", arguments: [1, 2])
  func otherModel(ranks: Int) throws {
    let run = try ProbeRun("fit", ranks, "epochs=1").succeeded()
    let path = "\(run.folder.path)/checkpoints/last.ckpt"
    let other = try ProbeRun("fit", ranks, "epochs=2", "model=other", "resume=\(path)", folder: run.folder)
    #expect(other.status == 1)
    #expect(other.failure.hasPrefix("checkpoint '\(path)': it is of another model than OtherModel."))
    #expect(other.failure.contains("missing: head.weight") && other.failure.contains("missing: head.bias"))
    #expect(other.failure.contains("unexpected: fc2.weight") && other.failure.contains("unexpected: fc2.bias"))
    for (key, expected, found) in [("fc1.weight", "[6, 4]", "[8, 4]"), ("fc1.bias", "[6]", "[8]")] {
      let line = other.failure.split(separator: "\n").first { $0.contains(key) }
      #expect(line?.contains(expected) == true && line?.contains(found) == true, "\(other.failure)")
    }
    #expect(other.failure.components(separatedBy: "fc1.weight").count == 2, "told by one rank only")
  }

  @Test("Weights without the state of training, and another optimizer's")
  func otherOptimizer() throws {
    let weights = try ProgramRun(
      "digits", ["fit", "--resume", Repository.reference("w1.safetensors"), "--output", "/tmp/never-written"])
    #expect(weights.status == 1)
    #expect(weights.failure.contains(Repository.reference("w1.safetensors")))
    let run = try ProbeRun("fit", 1, "epochs=1").succeeded()
    let path = "\(run.folder.path)/checkpoints/last.ckpt"
    let other = try ProbeRun("fit", 1, "epochs=2", "optimizer=adamw", "resume=\(path)")
    #expect(other.status == 1)
    #expect(other.failure.hasPrefix("checkpoint '\(path)': "))
    let schedule = try ProbeRun("fit", 1, "epochs=2", "schedule=step", "resume=\(path)")
    #expect(
      schedule.failure == "checkpoint '\(path)': it has 0 learning-rate schedules, this module 1")
  }

  @Test("A full disk: the old checkpoint stays, and the message names path and reason", arguments: [1, 2])
  func fullDisk(ranks: Int) throws {
    let run = try ProbeRun("fit", ranks, "epochs=1").succeeded()
    let good = try #require(run.folder.bytes("checkpoints/last.ckpt"))
    let metrics = run.folder.text("metrics.csv")
    try #require(metrics.utf8.count < 2048 && good.count > 4096)
    // Files may grow to 3 blocks of 1024 bytes: enough for the metrics, too little for a checkpoint.
    let path = "\(run.folder.path)/checkpoints/last.ckpt"
    let full = try ProbeRun(
      "fit", ranks, "epochs=2", "resume=\(path)", folder: run.folder, shell: "ulimit -f 3")
    #expect(full.status == 1)
    #expect(full.failure.contains("\(path): cannot be written: File too large"), "\(full.run.errors)")
    #expect(full.failure.contains("files of this process may have 3072 bytes (ulimit -f). A file that was there"))
    #expect(run.folder.bytes("checkpoints/last.ckpt") == good)
    #expect(run.folder.names(in: "checkpoints") == ["last.ckpt"], "nothing half-written is left")
    try ProbeRun("fit", ranks, "epochs=2", "resume=\(path)", folder: run.folder).succeeded()
  }
}

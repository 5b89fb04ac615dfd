import Foundation
import Testing
import Torch

@Suite("Runs whose checkpoints are written in the background")
struct AsyncRunTests {
  @Test("The same files, and the last one is there when the program ends", arguments: [1, 2, 3])
  func sameFiles(ranks: Int) throws {
    let options = ["epochs=3", "train=24", "monitor=val/loss", "mode=min", "keep=2", "lr=0.3"]
    let plain = try ProbeRun("fit", ranks, options: options).succeeded()
    let async = try ProbeRun("fit", ranks, options: options + ["async"]).succeeded()
    let slow = try ProbeRun("fit", ranks, options: options + ["async=slow"]).succeeded()
    #expect(async.weightSums == plain.weightSums)
    for run in [async, slow] {
      #expect(run.folder.names(in: "checkpoints") == plain.folder.names(in: "checkpoints"))
      for name in plain.folder.names(in: "checkpoints") {
        let files = try [run, plain].map { try CheckpointFile("\($0.folder.path)/checkpoints/\(name)") }
        #expect(try largestDifference(files[0], files[1]) == 0, "\(name)")
        #expect(files[0].step == files[1].step)
      }
    }
  }

  @Test("A run goes on from such a file to the bit", arguments: [1, 2])
  func resume(ranks: Int) throws {
    let part = try ProbeRun("fit", ranks, "steps=3", "train=40", "async", "optimizer=adamw").succeeded()
    let rest = try ProbeRun(
      "fit", ranks, "epochs=1", "train=40", "optimizer=adamw", "resume=\(part.folder.path)/checkpoints/last.ckpt"
    ).succeeded()
    let whole = try ProbeRun("fit", ranks, "epochs=1", "train=40", "optimizer=adamw").succeeded()
    #expect(rest.weightSums == whole.weightSums)
  }

  @Test("A full disk ends the run, names file and reason, and leaves the old file", arguments: [1, 2])
  func fullDisk(ranks: Int) throws {
    let run = try ProbeRun("fit", ranks, "epochs=1").succeeded()
    let path = "\(run.folder.path)/checkpoints/last.ckpt"
    let good = try #require(run.folder.bytes("checkpoints/last.ckpt"))
    let full = try ProbeRun(
      "fit", ranks, "epochs=300", "every-steps=1", "async", "resume=\(path)", folder: run.folder,
      shell: "ulimit -f 3")
    #expect(full.status == 1)
    #expect(full.failure.contains("\(path): cannot be written: File too large"), "\(full.run.errors)")
    #expect(run.folder.bytes("checkpoints/last.ckpt") == good)
    #expect(run.folder.names(in: "checkpoints") == ["last.ckpt"])
    let steps = try full.metrics.rows("train/loss").map(\.step)
    #expect(steps.count < 300, "it fails soon, not at the end")
  }

  @Test("Killed in the middle of a write: the file before it is whole", arguments: [1, 2])
  func killed(ranks: Int) throws {
    let first = try ProbeRun("fit", ranks, "epochs=1", "train=40").succeeded()
    let path = "\(first.folder.path)/checkpoints/last.ckpt"
    let good = try #require(first.folder.bytes("checkpoints/last.ckpt"))
    let killed = try ProbeRun(
      "fit", ranks, "epochs=9", "train=40", "slow", "every-steps=2", "async=endless", "resume=\(path)",
      folder: first.folder
    ) { program, _ in
      try program.wait { program.output.contains("writing \(path)") }
      kill(program.pid, SIGKILL)
    }
    #expect(killed.status == 128 + 9)
    #expect(first.folder.bytes("checkpoints/last.ckpt") == good)
    try ProbeRun("fit", ranks, "epochs=2", "train=40", "resume=\(path)", folder: first.folder).succeeded()
  }

  @Test("A run that fails writes what it has begun to write")
  func failingRun() throws {
    let run = try ProbeRun(
      "fit", 1, "epochs=1", "train=40", "every-steps=2", "async=slow", "fault=throw", "at=3", "rank=0")
    #expect(run.status == 1)
    #expect(run.failure.hasPrefix("the user's code fails at batch 3"))
    #expect(try CheckpointFile("\(run.folder.path)/checkpoints/last.ckpt").step == 2)
  }
}

import Foundation
import Testing

@Suite("Sharded checkpoints that are written in the background")
struct ShardedAsyncTests {
  private static let options = [
    "train=36", "epochs=2", "optimizer=adamw", "dropout=0.5", "shuffle", "val=-1", "state=sharded", "async",
  ]

  @Test(
    "A run goes on from one to the bit, and the best stay",
    arguments: [("single_device", 1), ("fsdp", 3), ("ddp_sharded_spawn", 2)])
  func resume(strategy: String, ranks: Int) throws {
    let options = Self.options + ["strategy=\(strategy)", "batch=\(12 / ranks)"]
    let keeping = ["monitor=train/loss", "keep=2", "every-steps=1"]
    let part = try ProbeRun("fit", ranks, options: options + keeping + ["steps=4"]).succeeded()
    let names = part.folder.names(in: "checkpoints")
    #expect(names.count == 3 && names.contains("last.ckpt"), "\(names)")
    for name in names { #expect(part.folder.names(in: "checkpoints/\(name)").count == 2, "\(name)") }
    let rest = try ProbeRun("fit", ranks, options: options + ["resume=\(part.folder.path)/checkpoints/last.ckpt"])
    let whole = try ProbeRun("fit", ranks, options: options).succeeded()
    #expect(try Set(rest.succeeded().weightSums) == Set(whole.weightSums) && !whole.weightSums.isEmpty)
  }

  @Test("A full disk ends the run on all ranks, and the checkpoint before is loaded", arguments: ["ddp", "fsdp"])
  func fullDisk(strategy: String) throws {
    let options = Self.options + ["strategy=\(strategy)", "batch=6"]
    let run = try ProbeRun("fit", 2, options: options).succeeded()
    let path = "\(run.folder.path)/checkpoints/last.ckpt"
    let names = run.folder.names(in: "checkpoints/last.ckpt")
    let full = try ProbeRun(
      "fit", 2, options: options.filter { $0 != "epochs=2" } + ["epochs=300", "every-steps=1", "resume=\(path)"],
      folder: run.folder, shell: "ulimit -f 2")
    #expect(full.status == 1)
    #expect(full.failure.contains("File too large"), "\(full.run.errors)")
    #expect(full.failure.contains("checkpoint '\(path)': rank "), "\(full.run.errors)")
    #expect(run.folder.names(in: "checkpoints/last.ckpt") == names)
    try ProbeRun("fit", 2, options: options.map { $0 == "epochs=2" ? "epochs=3" : $0 } + ["resume=\(path)"]).succeeded()
  }

  @Test("A disk that is full for one rank only: the error names it", arguments: [true, false])
  func fullForOne(isAsynchronous: Bool) throws {
    let options = Self.options.filter { isAsynchronous || $0 != "async" } + ["strategy=fsdp", "batch=6"]
    let run = try ProbeRun("fit", 2, options: options).succeeded()
    let path = "\(run.folder.path)/checkpoints/last.ckpt"
    let names = run.folder.names(in: "checkpoints/last.ckpt")
    let more = options.map { $0 == "epochs=2" ? "epochs=3" : $0 } + ["resume=\(path)"]
    let faults = ["every-steps=1", "fault=full-disk", "rank=1", "at=0", "at-epoch=2"]
    let full = try ProbeRun("fit", 2, options: more + faults, folder: run.folder)
    #expect(full.status == 1)
    #expect(full.failure.contains("checkpoint '\(path)': rank 1: "), "\(full.run.errors)")
    #expect(full.failure.contains("File too large after"), "\(full.run.errors)")
    #expect(run.folder.names(in: "checkpoints/last.ckpt") == names)
    try ProbeRun("fit", 2, options: more).succeeded()
  }

  @Test("A rank that is killed while all write: what is there is loaded, and goes on to the bit")
  func killed() throws {
    let options = Self.options + ["strategy=fsdp", "batch=6"]
    let run = try ProbeRun("fit", 2, options: options + ["every-steps=1", "fault=kill", "at=2", "rank=1"])
    #expect(run.status != 0)
    let path = "\(run.folder.path)/checkpoints/last.ckpt"
    let rest = try ProbeRun("fit", 2, options: options + ["resume=\(path)"]).succeeded()
    let whole = try ProbeRun("fit", 2, options: options).succeeded()
    #expect(Set(rest.weightSums) == Set(whole.weightSums))
  }
}

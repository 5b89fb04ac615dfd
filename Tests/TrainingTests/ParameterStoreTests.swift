import Foundation
import Testing

/// Stage 3 with parameters, gradients and optimizer state on disk.
@Suite("DeepSpeed: parameters on disk", .serialized)
struct ParameterStoreTests {
  private static func config(_ folder: String, _ members: String = "", inMemory: Int = 0) -> String {
    DeepSpeedRun.config(
      3, members,
      zero: #", "sub_group_size": 5000, "offload_optimizer": {"device": "nvme", "nvme_path": "\#(folder)"}, "#
        + #""offload_param": {"device": "nvme", "nvme_path": "\#(folder)", "max_in_cpu": \#(inMemory)}"#)
  }

  private static func probe(
    _ scenario: String, _ ranks: Int, _ options: [String], config: String, limits: String = "true"
  ) throws -> ProbeRun {
    let folder = try TemporaryFolder()
    try Data(config.utf8).write(to: URL(filePath: "\(folder.path)/ds_config.json"))
    return try ProbeRun(
      scenario, ranks, options: ["strategy=deepspeed"] + options, folder: folder,
      shell: "export OMP_NUM_THREADS=1 PL_DEEPSPEED_CONFIG_PATH=\(folder.path)/ds_config.json; \(limits)")
  }

  /// 48 layers of 1024 × 1024: parameters, gradients and two averages take 768 MiB, four times the limit.
  private static let limit = 192 << 20

  @Test("A model whose state is four times the memory that a process may have", arguments: [1, 2])
  func limit(ranks: Int) throws {
    let disk = try TemporaryFolder()
    let memory = try Self.probe("large", ranks, ["clip=0.5"], config: DeepSpeedRun.config(3)).succeeded()
    let zero =
      #", "offload_optimizer": {"device": "nvme", "nvme_path": "\#(disk.path)"}, "#
      + #""offload_param": {"device": "nvme", "nvme_path": "\#(disk.path)"}, "sub_group_size": 262144"#
    let config = DeepSpeedRun.config(3, zero: zero)
    // Stacks of threads count, too.
    let limits = "ulimit -s 1024; ulimit -d \(Self.limit >> 10)"
    let stored = try Self.probe("large", ranks, ["clip=0.5"], config: config, limits: limits).succeeded()
    let losses = try [memory, stored].map { try $0.metrics.values("train/loss") + $0.metrics.values("val/loss") }
    #expect(losses[0].count == 4 && losses[0] == losses[1])
    guard ranks == 1 else { return }
    // A checkpoint of it is written, and gone on from, in the same memory.
    let options = ["clip=0.5", "save"]
    let first = try Self.probe("large", 1, options + ["steps=2"], config: config, limits: limits).succeeded()
    let path = "\(first.folder.path)/checkpoints/last.ckpt"
    let second = try Self.probe("large", 1, options + ["resume=\(path)"], config: config, limits: limits).succeeded()
    #expect(try first.metrics.values("train/loss") + second.metrics.values("train/loss") == Array(losses[0].prefix(3)))
    // Without the disk it does not fit.
    let failed = try Self.probe("large", ranks, [], config: DeepSpeedRun.config(3), limits: limits)
    #expect(failed.status != 0)
  }

  @Test(
    "Sharded models train as in memory",
    arguments: [
      (2, ["clip=0.3", "accumulate=2"]), (2, ["tied"]), (3, ["unused=odd"]), (2, ["unused=rank"]),
      (2, ["frozen=block"]), (2, ["manual"]), (2, ["precision=fp16"]), (1, ["val"]), (2, ["val=17"]),
    ])
  func equal(ranks: Int, options: [String]) throws {
    let disk = try TemporaryFolder()
    let memory = try Self.probe("sharded", ranks, options, config: DeepSpeedRun.config(3)).succeeded()
    let stored = try Self.probe("sharded", ranks, options, config: Self.config(disk.path)).succeeded()
    let hasValidation = options.contains { $0.hasPrefix("val") }
    for name in hasValidation ? ["train/loss", "val/loss"] : ["train/loss"] {
      try expectEqualLosses(memory, stored, name, areClipped: options.contains { $0.hasPrefix("clip") })
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path).isEmpty)
  }

  @Test("Some parameters stay in memory")
  func mixed() throws {
    let disk = try TemporaryFolder()
    let memory = try Self.probe("sharded", 2, ["clip=0.3"], config: DeepSpeedRun.config(3)).succeeded()
    let stored = try Self.probe("sharded", 2, ["clip=0.3"], config: Self.config(disk.path, inMemory: 150)).succeeded()
    try expectEqualLosses(memory, stored, "train/loss", areClipped: true)
  }

  /// Two layers have 1047554 elements on rank 0 and 1047550 on rank 1: there would be room for the second one on rank 1 only,
  /// which would gather it ahead of a step that does not use it.
  @Test("The same parameters stay in memory on all ranks")
  func agreement() throws {
    let disk = try TemporaryFolder()
    let options = ["layers=3", "width=1023", "skip"]
    let memory = try Self.probe("large", 2, options, config: DeepSpeedRun.config(3)).succeeded()
    let config = Self.config(disk.path, inMemory: 1_047_552)
    let stored = try Self.probe("large", 2, options, config: config).succeeded()
    try expectEqualLosses(memory, stored, "train/loss", areClipped: false)
  }

  /// Equal to the bit, unless by a norm that was added up in another order.
  private func expectEqualLosses(_ memory: ProbeRun, _ stored: ProbeRun, _ name: String, areClipped: Bool) throws {
    let losses = try [memory, stored].map { try $0.metrics.values(name) }
    #expect(!losses[0].isEmpty && losses[0].count == losses[1].count)
    for (first, second) in zip(losses[0], losses[1]) {
      if areClipped { expectClose(first, second, within: 1e-12) } else { #expect(first == second) }
    }
  }

  @Test("A sharded checkpoint is written from the disk, and read to it", arguments: [1, 2, 3])
  func checkpoint(ranks: Int) throws {
    let disk = try TemporaryFolder()
    let options = ["deferred", "state=sharded", "schedule=cosine"]
    let whole = try Self.probe("sharded", ranks, options + ["steps=9"], config: DeepSpeedRun.config(3)).succeeded()
    let config = Self.config(disk.path)
    let first = try Self.probe("sharded", ranks, options + ["steps=6"], config: config).succeeded()
    let path = "\(first.folder.path)/checkpoints/last.ckpt"
    let second = try Self.probe("sharded", ranks, options + ["steps=9", "resume=\(path)"], config: config).succeeded()
    // Neither way of keeping the state is in the checkpoint.
    let other = try Self.probe(
      "sharded", ranks, options + ["steps=9", "resume=\(path)"], config: DeepSpeedRun.config(3)
    ).succeeded()
    let losses = try [first, second, other, whole].map { try $0.metrics.values("train/loss") }
    #expect(losses[3].count == 9)
    #expect(losses[0] + losses[1] == losses[3] && losses[1] == losses[2])
  }

  @Test(
    "Stages of one program, and a checkpoint after them", arguments: [(1, "deferred"), (2, "deferred"), (2, "whole")])
  func stages(ranks: Int, kind: String) throws {
    let disk = try TemporaryFolder()
    let options = [kind, "stages=fit,save,validate,fit,predict", "val=17", "steps=4"]
    let runs = try [DeepSpeedRun.config(3), Self.config(disk.path)].map {
      try Self.probe("sharded", ranks, options, config: $0).succeeded()
    }
    let lines = runs.map { run in run.run.outputLines.filter { $0.contains("val/loss") || $0.contains("rows") } }
    #expect(lines[0].count == 2 && lines[0] == lines[1])
    // What was saved after the run goes on without the disk.
    let paths = runs.map { "\($0.folder.path)/after.ckpt" }
    let next = try paths.map {
      try Self.probe("sharded", ranks, [kind, "steps=8", "resume=\($0)"], config: DeepSpeedRun.config(3)).succeeded()
    }
    #expect(try next[0].metrics.values("train/loss") == next[1].metrics.values("train/loss"))
  }

  @Test("Checkpoints of a later model that is whole are single files again", arguments: [1, 2])
  func laterModel(ranks: Int) throws {
    let disk = try TemporaryFolder()
    let options = ["deferred", "stages=fit,new,fit,save,read,validate", "val=17", "steps=4"]
    let run = try Self.probe("sharded", ranks, options, config: Self.config(disk.path)).succeeded()
    let names = run.folder.names(in: "checkpoints") + run.folder.names()
    #expect(names.contains("last.ckpt") && names.contains("after.ckpt"))
    for path in ["checkpoints/last.ckpt", "after.ckpt"] {
      #expect(run.folder.names(in: path).isEmpty && run.folder.bytes(path) != nil, "\(path) is a file")
    }
    #expect(run.run.errors.components(separatedBy: "note: checkpoints are folders").count == 2, "\(run.run.errors)")
    #expect(run.run.output.contains("a strategy that has run another module by now"), "\(run.run.output)")
    // What is in it goes on.
    try Self.probe(
      "sharded", ranks, ["steps=8", "resume=\(run.folder.path)/after.ckpt"], config: DeepSpeedRun.config(3)
    ).succeeded()
  }

  @Test("A damaged checkpoint changes nothing")
  func damaged() throws {
    let disk = try TemporaryFolder()
    let options = ["deferred", "state=sharded"]
    let config = Self.config(disk.path)
    let first = try Self.probe("sharded", 2, options + ["steps=4"], config: config).succeeded()
    let path = "\(first.folder.path)/checkpoints/last.ckpt"
    let files = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
    let file = try #require(files.first { $0.hasSuffix("rank-00001.safetensors") })
    var bytes = try Data(contentsOf: URL(filePath: "\(path)/\(file)"))
    bytes[bytes.count - 3] ^= 1
    try bytes.write(to: URL(filePath: "\(path)/\(file)"))
    let second = try Self.probe("sharded", 2, options + ["steps=9", "resume=\(path)"], config: config)
    #expect(second.status != 0)
    #expect(second.failure.contains("rank-00001.safetensors") && second.failure.contains("is damaged"))
  }

  @Test("Weight averaging is refused before the first step")
  func averaging() throws {
    let disk = try TemporaryFolder()
    let run = try Self.probe(
      "loops", 1, ["loops", "epochs=5", "swa=0.05", "val=-1", "batch=4"], config: Self.config(disk.path))
    #expect(run.status != 0)
    #expect(run.failure.contains("parameters are kept on disk"), "\(run.run.errors)")
  }
}

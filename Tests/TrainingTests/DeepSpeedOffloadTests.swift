import Foundation
import Glibc
import Testing

/// The aliases of `deepspeed`, optimizer state on disk, and what goes wrong while it trains.
@Suite("DeepSpeed: aliases and offload", .serialized)
struct DeepSpeedOffloadTests {
  private static let adamW = ["--optimizer", "adamw", "--lr", "0.002"]
  private static let alone = Result { try DeepSpeedRun("single_device", 1, adamW, steps: 4) }

  @Test(
    "Every alias trains, and evaluates the checkpoint",
    arguments: [
      "deepspeed", "deepspeed_stage_1", "deepspeed_stage_1_offload", "deepspeed_stage_2", "deepspeed_stage_2_offload",
      "deepspeed_stage_3", "deepspeed_stage_3_offload", "deepspeed_stage_3_offload_nvme",
    ])
  func aliases(name: String) throws {
    let alone = try Self.alone.get()
    let run = try DeepSpeedRun(name, 2, Self.adamW, steps: 4)
    try run.expectLosses(alone.losses, within: 1e-4, name)
    let expected = try #require(alone.results["val/loss"]?.number)
    expectClose(try #require(run.results["val/loss"]?.number), expected, within: 1e-5)
    guard name.contains("stage_2") || name.contains("nvme") else { return }
    let validation = try ProgramRun(
      "digits",
      [
        "validate", "--weights", "\(run.folder.path)/last.ckpt", "--strategy", name, "--devices", "2", "--progress",
        "silent", "--json",
      ]
    ).succeeded().json()
    expectClose(try #require(validation["val/loss"]?.number), expected, within: 1e-5)
  }

  /// State on disk in more sub-groups than there are buffers, in stage 3 parameters and gradients, too.
  private static func onDisk(_ stage: Int, _ folder: String) -> String {
    var zero =
      #", "sub_group_size": 3000, "offload_optimizer": {"device": "nvme", "nvme_path": "\#(folder)", "buffer_count": 3}"#
    if stage == 3 { zero += #", "offload_param": {"device": "nvme", "nvme_path": "\#(folder)", "max_in_cpu": 0}"# }
    return DeepSpeedRun.config(stage, #", "aio": {"block_size": 4096, "queue_depth": 4}"#, zero: zero)
  }

  @Test(
    "State on disk changes no number, and goes on from a checkpoint",
    arguments: [(1, 2), (2, 1), (3, 1), (3, 2), (3, 3)])
  func disk(stage: Int, ranks: Int) throws {
    let disk = try TemporaryFolder()
    let flags = Self.adamW + ["--accumulate", "2", "--clip-norm", "0.5"]
    let plain = try DeepSpeedRun("deepspeed", ranks, flags, config: DeepSpeedRun.config(stage), steps: 10)
    let config = Self.onDisk(stage, disk.path)
    let first = try DeepSpeedRun("deepspeed", ranks, flags, config: config, steps: 5)
    let second = try DeepSpeedRun(
      "deepspeed", ranks, flags + ["--resume", "\(first.folder.path)/last.ckpt"], config: config, steps: 10)
    #expect(plain.losses.count == 20)
    #expect(first.losses + second.losses == plain.losses)
    let difference = try largestDifference(
      CheckpointFile("\(plain.folder.path)/last.ckpt"), CheckpointFile("\(second.folder.path)/last.ckpt"))
    #expect(difference == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path).isEmpty)
  }

  @Test("Momentum on disk, and an optimizer that cannot be there")
  func otherOptimizers() throws {
    let disk = try TemporaryFolder()
    let plain = try DeepSpeedRun("deepspeed", 2, [], config: DeepSpeedRun.config(2), steps: 6)
    let run = try DeepSpeedRun("deepspeed", 2, [], config: Self.onDisk(2, disk.path), steps: 6)
    #expect(run.losses == plain.losses)
    let members = #", "optimizer": {"type": "Lamb"}"#
    let zero = #", "offload_optimizer": {"device": "nvme", "nvme_path": "\#(disk.path)"}"#
    let lamb = try DeepSpeedRun.start(
      "deepspeed", 2, [], config: DeepSpeedRun.config(2, members, zero: zero), steps: 6, in: TemporaryFolder())
    #expect(lamb.status != 0)
    #expect(lamb.failure.contains("Lamb cannot be offloaded"), "\(lamb.errors)")
  }

  @Test("Too little room is noticed before the first step", arguments: [1, 2])
  func fullDisk(ranks: Int) throws {
    // A disk that is full and a process that may not write more look the same from here.
    let folder = try TemporaryFolder()
    let disk = try TemporaryFolder()
    let config = "\(folder.path)/ds_config.json"
    try Data(Self.onDisk(3, disk.path).utf8).write(to: URL(filePath: config))
    let run = try ProgramRun(
      "byte-gpt",
      ["fit", "--strategy", "deepspeed", "--devices", "\(ranks)", "--output", folder.path, "--progress", "silent"],
      environment: ["PL_DEEPSPEED_CONFIG_PATH": config], shell: "ulimit -f 1000")
    #expect(run.status != 0)
    #expect(run.failure.contains("reserving the offload file in \(disk.path) fails"), "\(run.errors)")
    #expect(run.failure.contains("bytes are needed and 1024000 are available"), "\(run.errors)")
    #expect(!folder.text("metrics.csv").contains("train/loss"))
  }

  @Test("A folder that is not there")
  func missingFolder() throws {
    let run = try DeepSpeedRun.start(
      "deepspeed", 2, Self.adamW, config: Self.onDisk(3, "/nonexistent/folder"), in: TemporaryFolder())
    #expect(run.status != 0)
    #expect(run.failure.contains("/nonexistent/folder"), "\(run.errors)")
    #expect(run.failure.contains("give an existing folder that can be written to"), "\(run.errors)")
  }

  /// A run of the probe with a ds_config.
  private func probe(
    _ scenario: String, _ ranks: Int, _ options: [String], config: String,
    act: (StartedProgram, TemporaryFolder) throws -> Void = { _, _ in }
  ) throws -> ProbeRun {
    let folder = try TemporaryFolder()
    try Data(config.utf8).write(to: URL(filePath: "\(folder.path)/ds_config.json"))
    return try ProbeRun(
      scenario, ranks, options: ["strategy=deepspeed"] + options, folder: folder,
      shell: "export PL_DEEPSPEED_CONFIG_PATH=\(folder.path)/ds_config.json", act: act)
  }

  @Test("A model that is never whole, with state on disk, goes on from its sharded checkpoint")
  func deferred() throws {
    let disk = try TemporaryFolder()
    let options = ["deferred", "state=sharded", "schedule=cosine"]
    let whole = try probe("sharded", 2, options + ["steps=9"], config: DeepSpeedRun.config(3)).succeeded()
    let config = Self.onDisk(3, disk.path)
    let first = try probe("sharded", 2, options + ["steps=6"], config: config).succeeded()
    let path = "\(first.folder.path)/checkpoints/last.ckpt"
    let second = try probe("sharded", 2, options + ["steps=9", "resume=\(path)"], config: config).succeeded()
    let losses = try [first, second, whole].map { try $0.metrics.values("train/loss") }
    #expect(losses[2].count == 9)
    #expect(losses[0] + losses[1] == losses[2])
  }

  @Test("A rank that is killed ends the others", arguments: [2, 3])
  func killedRank(stage: Int) throws {
    let disk = try TemporaryFolder()
    let run = try probe("fit", 3, ["epochs=1000", "slow"], config: Self.onDisk(stage, disk.path)) { program, folder in
      try program.wait { folder.names(in: "checkpoints").contains("last.ckpt") }
      let worker = try #require(program.members().first { $0 != program.pid })
      kill(worker, SIGKILL)
    }
    #expect(run.status == 137)
    #expect(run.run.errors.contains("was killed by SIGKILL"), "\(run.run.errors)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path).isEmpty)
  }
}

import Foundation
import Testing
import Torch

@Suite("Jobs of SLURM whose time runs out")
struct RequeueTests {
  /// A folder with an `scontrol` that notes its arguments and ends with `status`.
  private func fakeSLURM(status: Int = 0) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try folder.write("#!/bin/sh\necho \"$@\" >> \"$0.calls\"\nexit \(status)\n", to: "scontrol")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(folder.path)/scontrol")
    return folder
  }

  private func run(
    _ ranks: Int, _ slurm: TemporaryFolder, _ job: String = "SLURM_JOB_ID=41", in folder: TemporaryFolder? = nil,
    options: [String] = []
  ) throws -> ProbeRun {
    let isFirst = options.isEmpty
    let common = ["epochs=1000", "train=80", "requeue", isFirst ? "slow" : "quick"]
    return try ProbeRun(
      "fit", ranks, options: common + options, folder: folder,
      shell: "export PATH=\"\(slurm.path):$PATH\" \(job)"
    ) { program, folder in
      guard isFirst else { return }
      // After a step the signal is surely expected; before the signal the run does not end.
      try program.wait { folder.text("metrics.csv").contains("\n0,") }
      kill(program.pid, SIGUSR1)
    }
  }

  @Test("The state is saved, the job requeued, and the next one goes on to the bit", arguments: [1, 2])
  func requeued(ranks: Int) throws {
    let slurm = try fakeSLURM()
    let first = try run(ranks, slurm).succeeded()
    #expect(slurm.text("scontrol.calls") == "requeue 41\n")
    let file = try CheckpointFile("\(first.folder.path)/hpc_ckpt_1.ckpt")
    let step = try #require(file.step)
    #expect(first.run.errors.contains("job 41 is requeued and will go on from"))
    let limit = "steps=\(step + 5)"
    let second = try run(ranks, slurm, in: first.folder, options: [limit]).succeeded()
    let whole = try ProbeRun("fit", ranks, "epochs=1000", "train=80", limit).succeeded()
    #expect(second.weightSums == whole.weightSums)
    #expect(try second.metrics.rows("train/loss").map(\.step) == Array(0..<step + 5))
  }

  @Test("An element of an array, and an scontrol that fails")
  func failing() throws {
    let slurm = try fakeSLURM(status: 3)
    let first = try run(
      1, slurm, "SLURM_JOB_ID=43 SLURM_ARRAY_JOB_ID=42 SLURM_ARRAY_TASK_ID=7"
    ).succeeded()
    #expect(slurm.text("scontrol.calls") == "requeue 42_7\n")
    #expect(first.run.errors.contains("'scontrol requeue 42_7' failed (3); requeue the job yourself"))
    #expect(first.folder.bytes("hpc_ckpt_1.ckpt") != nil)
  }

  @Test("Outside of a job nothing happens")
  func outside() throws {
    let slurm = try fakeSLURM()
    let run = try ProbeRun("fit", 1, "epochs=1", "requeue", shell: "export PATH=\"\(slurm.path):$PATH\"").succeeded()
    #expect(slurm.text("scontrol.calls").isEmpty)
    #expect(run.folder.names().allSatisfy { !$0.hasPrefix("hpc") })
  }
}

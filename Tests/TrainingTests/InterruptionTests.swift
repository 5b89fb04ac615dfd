import Foundation
import Testing
import Torch

@Suite("Interrupting a run", .serialized)
struct InterruptionTests {
  @Test("Ctrl-C writes a checkpoint to go on from and ends with status 130", arguments: [1, 2])
  func interrupt(ranks: Int) throws {
    let folder = try TemporaryFolder()
    let common = ["--devices", "\(ranks)", "--output", folder.path, "--json", "--no-shuffle"]
    let run = try ProgramRun("digits", ["fit", "--epochs", "100000"] + common) { program in
      try program.wait { folder.names().contains("last.ckpt") }
      kill(program.pid, SIGINT)
    }
    #expect(run.status == 130)
    #expect(run.output == "")
    #expect(
      run.failure == "interrupted by signal 2; everything up to the last step is in \(folder.path)/last.ckpt, "
        + "resume from it")
    let step = try #require(try CheckpointFile("\(folder.path)/last.ckpt").step)
    let before = try MetricsFile("\(folder.path)/metrics.csv").rows("train/loss")
    #expect(before.map(\.step) == Array(0..<step))

    let last = ["--max-steps", "\(step + 5)"]
    try ProgramRun("digits", ["fit", "--resume", "\(folder.path)/last.ckpt"] + last + common).succeeded()
    let after = try MetricsFile("\(folder.path)/metrics.csv").rows("train/loss")
    #expect(after.map(\.step) == Array(0..<step + 5))
    #expect(Array(after.prefix(step)) == before)

    // The result is that of a run that nobody interrupted.
    let whole = try TemporaryFolder()
    let flags = ["--devices", "\(ranks)", "--output", whole.path, "--json", "--no-shuffle"]
    try ProgramRun("digits", ["fit"] + last + flags).succeeded()
    let ends = try [folder, whole].map { try CheckpointFile("\($0.path)/last.ckpt") }
    #expect(try largestDifference(ends[0], ends[1]) == 0)
    let expected = try MetricsFile("\(whole.path)/metrics.csv").rows("train/loss")
    #expect(after.suffix(5) == expected.suffix(5))
    if ranks == 1 { #expect(after == expected) }
  }

  @Test("SIGTERM is answered too")
  func terminate() throws {
    let run = try ProbeRun("fit", 2, "epochs=1000", "slow", "hooks") { program, folder in
      try program.wait { folder.names(in: "checkpoints").contains("last.ckpt") }
      kill(program.pid, SIGTERM)
    }
    #expect(run.status == 1)
    #expect(run.failure.hasPrefix("interrupted by signal 15; everything up to the last step is in "))
    let hooks = run.folder.text("hooks.0")
    #expect(hooks.hasSuffix("callback teardown fit\nmodule teardown fit\ndata teardown fit\n\(lastHook(of: run))\n"))
    #expect(hooks.contains("callback onInterrupt\n"))
  }

  @Test(
    "Ranks that hold parts of the state stop after the same step and save together",
    arguments: [
      ("deepspeed_stage_2", "sharded", 3, SIGTERM), ("fsdp", "full", 2, SIGTERM), ("fsdp", "sharded", 2, SIGINT),
      ("ddp_sharded_spawn", "sharded", 2, SIGTERM), ("zero", "full", 2, SIGTERM),
      ("deepspeed_stage_1", "full", 2, SIGINT), ("deepspeed_stage_2", "full", 2, SIGTERM),
      ("deepspeed_stage_3", "sharded", 2, SIGTERM), ("deepspeed_stage_3", "full", 2, SIGINT),
    ])
  func together(strategy: String, form: String, ranks: Int, signal: Int32) throws {
    let own = strategy == "zero" ? ["strategy=ddp", "zero"] : ["strategy=\(strategy)"]
    let common = ["train=6000", "batch=\(12 / ranks)", "epochs=1", "optimizer=adamw", "val=-1"] + own
    let run = try ProbeRun("fit", ranks, options: common + ["state=\(form)", "slow", "hooks"]) { program, folder in
      try program.wait { folder.text("hooks.0").contains("callback onTrainBatchEnd 3\n") }
      kill(program.pid, signal)
    }
    let words = "interrupted by signal \(signal); everything up to the last step is in "
    #expect(run.failure.hasPrefix(words), "\(run.run.errors)")
    let path = "\(run.folder.path)/checkpoints/last.ckpt"
    #expect(run.folder.names(in: "checkpoints/last.ckpt").contains("latest") == (form == "sharded"))
    let steps = try run.metrics.rows("train/loss").map(\.step)
    #expect(steps == Array(0..<steps.count) && steps.count >= 4)
    let limit = "steps=\(steps.count + 3)"
    let rest = try ProbeRun("fit", ranks, options: common + [limit, "resume=\(path)"]).succeeded()
    let whole = try ProbeRun("fit", ranks, options: common + [limit]).succeeded()
    #expect(try rest.metrics.rows("train/loss") == whole.metrics.rows("train/loss").suffix(3))
    #expect(Set(rest.weightSums) == Set(whole.weightSums) && !whole.weightSums.isEmpty)
  }

  @Test(
    "In the validation before training they stop together, too: after the first step",
    arguments: [("fsdp", "full", 2), ("fsdp", "sharded", 3), ("deepspeed_stage_2", "sharded", 2)])
  func beforeTraining(strategy: String, form: String, ranks: Int) throws {
    let options = ["val=120", "batch=4", "sanity=-1", "epochs=1000", "slow-validation", "hooks"]
    let run = try ProbeRun("fit", ranks, options: options + ["strategy=\(strategy)", "state=\(form)"]) {
      program, folder in
      try program.wait { folder.text("hooks.0").contains("module validationStep 1 ") }
      kill(program.pid, SIGINT)
    }
    let words = "interrupted by signal 2; everything up to the last step is in "
    #expect(run.failure.hasPrefix(words), "\(run.run.errors)")
    #expect(run.folder.names(in: "checkpoints") == ["last.ckpt"])
  }

  @Test("A second Ctrl-C ends a run in which a rank hangs, at once")
  func twice() throws {
    let run = try ProbeRun("fit", 3, "epochs=1", "fault=hang", "rank=1", "at=1", "hooks") { program, folder in
      try program.wait { folder.text("hooks.1").hasSuffix("module trainingStep 1 training=true\n") }
      kill(program.pid, SIGINT)
      try program.wait { program.errors.contains("Ctrl-C again ends the run at once") }
      kill(program.pid, SIGINT)
    }
    #expect(run.status == 130)
  }

  private func lastHook(of run: ProbeRun) -> String { "callback onException \(run.failure)" }
}

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

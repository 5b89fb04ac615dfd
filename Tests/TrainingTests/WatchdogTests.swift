import Foundation
import RunningProcesses
import Testing

/// Ranks that wait for each other are told of, and a run does not wait for ever.
@Suite("The watchdog", .serialized)
struct WatchdogTests {
  static let methods = ["relaunch", "spawn", "fork"]

  /// Stops a rank and returns the run, which must have ended by itself.
  private func stopping(rank: Int, _ method: String) throws -> ProbeRun {
    try ProbeRun(
      "fit", 3, "epochs=100000", "slow", "hooks", "notice=0.3", "timeout=3", "start=\(method)"
    ) { program, folder in
      try program.wait { folder.text("hooks.2").contains("trainingStep 1") }
      let variables = method == "relaunch" ? "LOCAL_RANK=\(rank)" : ",\(rank),0,3,"
      let pid = try #require(
        program.members().first { pid in
          pid != program.pid
            && RunningProcesses.environment(of: pid, contains: variables)
        })
      kill(pid, SIGSTOP)
    }
  }

  @Test("A worker stopped with SIGSTOP: who waits where, then the end", arguments: ["relaunch", "spawn"])
  func stopped(method: String) throws {
    let run = try stopping(rank: 1, method)
    #expect(run.status == 1)
    let notice = try #require(run.run.errors.range(of: "a rank has waited for the others for more than 0.3 s"))
    let told = run.run.errors[notice.upperBound...]
    #expect(told.contains("rank 0 waits in "))
    #expect(told.contains("rank 2 waits in "))
    #expect(told.contains("training batch"))
    #expect(told.contains("rank 1 did not answer; its process "))
    #expect(told.contains("is stopped (state T"))
    #expect(run.failure.contains("a rank waited for the others longer than the timeout of 3 s:"))
    // At the end another rank's failure may already have woken it up, to end it.
    #expect(run.failure.contains("rank 1 did not answer; its process "))
  }

  @Test("Rank 0 stopped with SIGSTOP, where it is a worker")
  func stoppedRankZero() throws {
    let run = try stopping(rank: 0, "spawn")
    #expect(run.status == 1)
    #expect(run.run.errors.contains("Stratagem: a rank has waited for the others for more than 0.3 s"))
    #expect(run.run.errors.contains("is stopped (state T"))
    #expect(run.failure.contains("rank 0 did not answer; its process "))
  }

  @Test("A rank that is stuck in the user's code", arguments: methods, [0, 1])
  func stuck(method: String, rank: Int) throws {
    let run = try ProbeRun(
      "fit", 2, "epochs=1", "fault=hang", "rank=\(rank)", "at=1", "notice=0.3", "timeout=3", "start=\(method)")
    #expect(run.status == 1)
    #expect(run.run.errors.contains("Stratagem: a rank has waited for the others for more than 0.3 s"))
    #expect(run.run.errors.contains("longer than the timeout of 3 s:"))
    #expect(run.run.errors.contains("rank \(rank) is in code of its own (training batch 2)"))
    #expect(run.run.errors.contains("rank \(1 - rank) waits in "))
  }

  @Test("Long work of one rank is told of and does not end the run", arguments: methods)
  func longWork(method: String) throws {
    let run = try ProbeRun(
      "fit", 2, "epochs=1", "fault=sleep", "seconds=1.5", "rank=0", "at=1", "notice=0.2", "timeout=30",
      "start=\(method)"
    ).succeeded()
    #expect(run.run.errors.contains("rank 0 is in code of its own (training batch 2)"))
    #expect(run.run.errors.contains("rank 1 waits in "))
  }

  @Test("Nothing is told of ranks that keep step", arguments: methods)
  func quiet(method: String) throws {
    let run = try ProbeRun("fit", 2, "epochs=20", "notice=20", "start=\(method)").succeeded()
    #expect(!run.run.errors.contains("has waited"))
  }

  @Test("The preparation of data may take longer than the timeout", arguments: methods)
  func preparation(method: String) throws {
    try ProbeRun(
      "fit", 2, "epochs=1", "prepare-seconds=4", "notice=30", "timeout=3", "start=\(method)"
    ).succeeded()
  }
}

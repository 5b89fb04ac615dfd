import Foundation
import Testing
import Torch

@Suite("The processes of a run", .serialized)
struct ProcessTests {
  @Test("An error of one rank is the run's error", arguments: [0, 1, 2])
  func error(rank: Int) throws {
    let run = try ProbeRun("fit", 3, "epochs=1", "fault=throw", "at=1", "rank=\(rank)", "hooks")
    #expect(run.status == 1)
    let told = (rank == 0 ? "" : "rank \(rank) failed: ") + "the user's code fails at batch 1"
    #expect(run.run.errors.contains("Error: \(told)\n") || run.run.errors.contains("Stratagem: \(told)\n"))
    #expect(run.run.errors.components(separatedBy: "fails at batch").count == 2, "told once: \(run.run.errors)")
    #expect(!run.run.errors.contains("onnection"), "the echo is not told: \(run.run.errors)")
    // The rank that failed has called its hooks.
    let hooks = run.folder.text("hooks.\(rank)").split(separator: "\n").map(String.init)
    #expect(hooks.contains("callback onException the user's code fails at batch 1"))
  }

  @Test("A worker that dies by a signal", arguments: [("kill", 137, "SIGKILL"), ("segv", 139, "SIGSEGV")])
  func signal(fault: String, status: Int, name: String) throws {
    let run = try ProbeRun("fit", 2, "epochs=1", "fault=\(fault)", "at=1", "rank=1")
    #expect(run.status == status)
    #expect(run.run.errors.contains("rank 1 was killed by \(name)"))
  }

  @Test("A worker that ends by itself")
  func exit() throws {
    let run = try ProbeRun("fit", 2, "epochs=1", "fault=exit", "at=1", "rank=1")
    #expect(run.status == 3)
    #expect(run.run.errors.contains("rank 1 ended with exit status 3"))
  }

  @Test("A death of rank 0 takes a hanging worker with it")
  func rankZeroDies() throws {
    let run = try ProbeRun("fit", 2, "epochs=1", "fault=kill", "at=1", "rank=0")
    #expect(run.status == 137)
  }

  @Test("A worker that is killed from outside, in the middle of training")
  func killedWorker() throws {
    let run = try ProbeRun("fit", 3, "epochs=1000", "slow") { program, folder in
      try program.wait { folder.names(in: "checkpoints").contains("last.ckpt") }
      let worker = try #require(program.members().first { $0 != program.pid })
      kill(worker, SIGKILL)
    }
    #expect(run.status == 137)
    #expect(run.run.errors.contains("was killed by SIGKILL"))
    #expect(try CheckpointFile("\(run.folder.path)/checkpoints/last.ckpt").step != nil)
  }

  @Test("kill -9 of the parent leaves no process, and the last checkpoint whole")
  func killedParent() throws {
    let run = try ProbeRun("fit", 3, "epochs=1000", "slow") { program, folder in
      try program.wait { folder.names(in: "checkpoints").contains("last.ckpt") }
      #expect(program.members().count >= 3)
      kill(program.pid, SIGKILL)
    }
    #expect(run.status == 137)
    #expect(try CheckpointFile("\(run.folder.path)/checkpoints/last.ckpt").step != nil)
  }

  @Test("Output of workers is tagged, that of rank 0 is not; unfinished lines are not lost")
  func output() throws {
    let run = try ProbeRun("fit", 3, "epochs=1", "print=lines").succeeded()
    let lines = Set(run.run.outputLines)
    #expect(lines.contains("a line of rank 0"))
    for rank in 1...2 {
      #expect(lines.contains("[rank \(rank)] a line of rank \(rank)"))
      #expect(lines.contains { $0.hasPrefix("[rank \(rank)] unfinished") })
    }
  }

  @Test("The plan comes first, and progress is plain lines when nobody looks")
  func plan() throws {
    let single = try ProbeRun("fit", 1, "epochs=2").succeeded().run.errorLines
    #expect(
      single.first == "single_device on 1 process (cpu, 1 thread), precision 32-true, global batch = loader batch")
    let run = try ProbeRun("fit", 2, "epochs=2", "accumulate=3").succeeded()
    #expect(
      run.run.errorLines.first
        == "ddp on 2 processes (cpu, 1 thread each), precision 32-true, global batch = 2 × 3 accumulated × loader batch"
    )
    let progress = run.run.errorLines.filter { $0.hasPrefix("epoch ") }
    #expect(progress.count >= 2)
    #expect(progress.allSatisfy { $0.contains("/3 batches") })
    #expect(!run.run.errors.contains("\u{1B}") && !run.run.errors.contains("\r"))
  }

  @Test("Several fits in one program, each on the same processes", arguments: [1, 2])
  func severalFits(ranks: Int) throws {
    let run = try ProbeRun("fit-twice", ranks, "epochs=2", "monitor=val/accuracy").succeeded()
    #expect(run.weightSums.count == 3 * ranks)
    #expect(Set(run.weightSums).count == 1)
    // The first trainer's file has both of its fits, one after the other.
    let second = try MetricsFile("\(run.folder.path)/second/metrics.csv").lines
    #expect(try run.metrics.lines == second + second)
    #expect(run.run.errorLines.filter { $0.contains("precision 32-true") }.count == 2, "each plan is told once")
  }

  @Test("A program cannot change the number of its processes")
  func otherSize() throws {
    let run = try ProbeRun("other-size", 2, "epochs=1")
    #expect(run.status == 1)
    #expect(run.failure.contains("2") && run.failure.contains("3"))
    #expect(run.failure.contains("process"))
  }

  @Test("A rank that leaves early is told of")
  func rankLeaves() throws {
    let run = try ProbeRun("ranks-differ", 2, "epochs=1")
    #expect(run.status == 1)
    #expect(run.run.errors.contains("rank 1 ended with exit status 0 before the run was over"))
  }

  @Test("A program may catch the error of a run", arguments: [0, 1])
  func caught(rank: Int) throws {
    let run = try ProbeRun("catch", 2, "epochs=1", "fault=throw", "rank=\(rank)", "at=1")
    let told = (rank == 0 ? "" : "rank 1 failed: ") + "the user's code fails at batch 1"
    #expect(run.run.output == "caught: \(told)\n")
    #expect(run.status == 0)
  }

  @Test("Two runs at once on one machine")
  func twoRuns() throws {
    let first = try ProbeRun("fit", 2, "epochs=3", "slow") { _, _ in
      try ProbeRun("fit", 2, "epochs=3").succeeded()
    }
    #expect(first.status == 0)
  }

  @Test("A second run into the folder of a running one is refused, and harms nothing")
  func sameFolder() throws {
    let first = try ProbeRun("fit", 1, "epochs=100000", "slow") { program, folder in
      try program.wait { folder.names().contains("metrics.csv") }
      let second = try ProbeRun("fit", 1, "epochs=1", folder: folder)
      #expect(second.status == 1)
      #expect(second.failure.contains("\(folder.path)/metrics.csv"))
      let lines = folder.text("metrics.csv").split(separator: "\n").count
      try program.wait { folder.text("metrics.csv").split(separator: "\n").count > max(lines, 1) }
      kill(program.pid, SIGINT)
    }
    #expect(first.failure.hasPrefix("interrupted by signal 2; "), "\(first.run.errors)")
    let steps = try first.metrics.rows("train/loss").map(\.step)
    #expect(steps == Array(0..<steps.count))
  }
}

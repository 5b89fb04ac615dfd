import Foundation
import Testing

/// Programs behave alike however the processes of their runs are started.
@Suite("Start methods", .serialized)
struct StartMethodTests {
  static let others = ["ddp_spawn", "ddp_fork"]

  /// What the program prints in the process that the user started, without the names of its folder.
  private func lines(_ run: ProbeRun) -> [String] {
    run.run.outputLines.filter { !$0.hasPrefix("[rank") }.map {
      $0.replacingOccurrences(of: run.folder.path, with: "FOLDER")
    }
  }

  @Test(
    "Weights to the bit, metrics, checkpoints, progress and predictions of a whole program are those of ddp",
    arguments: [1, 2, 3])
  func program(ranks: Int) throws {
    let options = ["epochs=2", "monitor=val/accuracy", "dropout=0.2", "hooks"]
    let usual = try ProbeRun("program", ranks, options: options + ["strategy=ddp"]).succeeded()
    #expect(lines(usual).first == "the program begins")
    #expect(lines(usual).contains { $0.hasPrefix("best FOLDER/checkpoints/epoch=") })
    #expect(lines(usual).last == "the program ends")
    for method in Self.others {
      let run = try ProbeRun("program", ranks, options: options + ["strategy=\(method)"]).succeeded()
      #expect(lines(run) == lines(usual), "\(method)")
      #expect(!run.run.output.contains("the program begins\n[rank"))
      #expect(run.run.output.components(separatedBy: "the program begins").count == 2, "printed once")
      #expect(try run.metrics.lines == usual.metrics.lines)
      #expect(
        try largestDifference(
          CheckpointFile("\(run.folder.path)/own.ckpt"), CheckpointFile("\(usual.folder.path)/own.ckpt")) == 0)
      #expect(run.folder.names(in: "checkpoints") == usual.folder.names(in: "checkpoints"))
      #expect(hooks(run) == hooks(usual), "\(method)")
    }
  }

  /// The calls of rank 0, without those of a module outside a run, where it does not know its rank.
  private func hooks(_ run: ProbeRun) -> [Substring] {
    run.folder.text("hooks.0").split(separator: "\n").filter { $0 != "module onSaveCheckpoint" }
  }

  @Test("Output is tagged, the plan is told once", arguments: others)
  func output(method: String) throws {
    let run = try ProbeRun("fit", 2, "epochs=1", "print=lines", "strategy=\(method)").succeeded()
    let lines = Set(run.run.outputLines)
    for rank in 0...1 { #expect(lines.contains("[rank \(rank)] a line of rank \(rank)")) }
    #expect(lines.contains { $0.hasPrefix("[rank 1] unfinished") })
    #expect(run.weightSums.count == 1)
    #expect(run.run.errorLines.filter { $0.contains("precision 32-true") }.count == 1)
    #expect(run.run.errorLines.contains { $0.hasPrefix("[rank 0] epoch 1/1 ") })
  }

  @Test("Several fits in one program", arguments: others)
  func severalFits(method: String) throws {
    let run = try ProbeRun("fit-twice", 2, "epochs=2", "monitor=val/accuracy", "strategy=\(method)").succeeded()
    #expect(run.weightSums.count == 3)
    #expect(Set(run.weightSums).count == 1)
    let second = try MetricsFile("\(run.folder.path)/second/metrics.csv").lines
    #expect(try run.metrics.lines == second + second)
  }

  @Test("The error of a rank is thrown in the main process, which goes on", arguments: others, [0, 1, 2])
  func failThenFit(method: String, rank: Int) throws {
    let options = ["epochs=2", "at=1", "rank=\(rank)", "strategy=\(method)"]
    let run = try ProbeRun("fail-then-fit", 3, options: options + ["fault=throw", "hooks"]).succeeded()
    #expect(run.run.outputLines.first == "caught: rank \(rank) failed: the user's code fails at batch 1")
    let usual = try ProbeRun("fail-then-fit", 3, "epochs=2", "strategy=ddp").succeeded()
    #expect(run.run.outputLines.last == usual.run.outputLines.last)
    #expect(run.run.outputLines.last?.hasPrefix("weights ") == true)
    #expect(run.folder.text("hooks.\(rank)").contains("onException the user's code fails at batch 1\n"))
  }

  @Test("The error of a rank, in training or in validation, ends the program", arguments: others)
  func error(method: String) throws {
    for fault in ["throw", "throw-in-validation"] {
      let run = try ProbeRun("fit", 2, "epochs=1", "fault=\(fault)", "at=1", "rank=1", "strategy=\(method)")
      #expect(run.status == 1)
      #expect(run.failure.hasPrefix("rank 1 failed: the user's "))
      #expect(!run.run.errors.contains("onnection"), "the echo is not told")
      #expect(run.run.output == "")
    }
  }

  @Test("A worker that dies by a signal or ends by itself", arguments: others)
  func death(method: String) throws {
    for (fault, status, told) in [
      ("kill", 137, "rank 1 was killed by SIGKILL"), ("segv", 139, "rank 1 was killed by SIGSEGV"),
      ("exit", 3, "rank 1 ended with exit status 3"),
    ] {
      let run = try ProbeRun("fit", 2, "epochs=1", "fault=\(fault)", "at=1", "rank=1", "strategy=\(method)")
      #expect(run.status == status)
      #expect(run.failure.contains(told))
    }
  }

  @Test("A worker that is killed from outside takes the others with it", arguments: others)
  func killedWorker(method: String) throws {
    let run = try ProbeRun("fit", 3, "epochs=1000", "slow", "strategy=\(method)") { program, folder in
      try program.wait { folder.names(in: "checkpoints").contains("last.ckpt") }
      #expect(program.members().count == 4)
      let worker = try #require(program.members().first { $0 != program.pid })
      kill(worker, SIGKILL)
    }
    #expect(run.status == 137)
    #expect(run.failure.contains("was killed by SIGKILL"))
  }

  @Test("kill -9 of the main process leaves no process, and its folder goes with the next program", arguments: others)
  func killedMain(method: String) throws {
    let folder = try TemporaryFolder()
    let shell = "export TMPDIR=\(folder.path)"
    var pid: Int32 = 0
    let run = try ProbeRun(
      "fit", 2, "epochs=1000", "slow", "strategy=\(method)", shell: shell
    ) { program, files in
      try program.wait { files.names(in: "checkpoints").contains("last.ckpt") }
      pid = program.pid
      kill(program.pid, SIGKILL)
    }
    #expect(run.status == 137)
    #expect(folder.names().contains { $0.hasPrefix("stratagem-calls-\(pid)-") })
    try ProbeRun("fit", 2, "epochs=1", "strategy=\(method)", shell: shell).succeeded()
    #expect(folder.names() == [])
  }

  @Test("The folder of a program is gone when it has failed", arguments: others)
  func folder(method: String) throws {
    let folder = try TemporaryFolder()
    let run = try ProbeRun(
      "fit", 2, "epochs=1", "fault=kill", "rank=1", "strategy=\(method)", shell: "export TMPDIR=\(folder.path)")
    #expect(run.status == 137)
    #expect(folder.names() == [])
  }

  @Test("Ctrl-C saves and ends in good order", arguments: others)
  func interrupt(method: String) throws {
    let run = try ProbeRun("fit", 2, "epochs=1000", "slow", "hooks", "strategy=\(method)") { program, folder in
      try program.wait { folder.names(in: "checkpoints").contains("last.ckpt") }
      kill(program.pid, SIGINT)
    }
    #expect(run.status == 1)
    let last = "\(run.folder.path)/checkpoints/last.ckpt"
    #expect(run.failure.hasPrefix("interrupted by signal 2; everything up to the last step is in \(last)"))
    #expect(run.folder.text("hooks.0").contains("callback onInterrupt\n"))
    #expect(try CheckpointFile(last).step != nil)
  }

  @Test("A second Ctrl-C ends a run in which a rank hangs, at once", arguments: others)
  func interruptTwice(method: String) throws {
    let run = try ProbeRun(
      "fit", 2, "epochs=1", "fault=hang", "rank=0", "at=1", "hooks", "strategy=\(method)"
    ) { program, folder in
      try program.wait { folder.text("hooks.0").hasSuffix("module trainingStep 1 training=true\n") }
      kill(program.pid, SIGINT)
      try program.wait { program.errors.contains("Ctrl-C again ends the run at once") }
      kill(program.pid, SIGINT)
    }
    #expect(run.status == 130)
  }

  @Test("Fork is refused while other threads exist, and names them")
  func threads() throws {
    let own = try ProbeRun("threads", 2, "epochs=1", "strategy=ddp_fork")
    #expect(own.status == 1)
    #expect(own.failure.hasPrefix("cannot fork: another thread exists ('users-own')"))
    let pool = try ProbeRun(
      "threads", 2, "epochs=1", "compute", "strategy=ddp_notebook", shell: "export OMP_NUM_THREADS=3")
    #expect(pool.status == 1)
    #expect(pool.failure.contains("most likely libtorch's OpenMP pool"))
    #expect(pool.failure.contains("OMP_NUM_THREADS=1"))
    #expect(pool.failure.contains("ddp_spawn"))
    // Other start methods do not mind.
    try ProbeRun("threads", 2, "epochs=1", "strategy=ddp_spawn").succeeded()
  }

  @Test(
    "Trainers of two strategies in one program",
    arguments: [
      ("ddp_spawn", "ddp_fork"), ("ddp_fork", "ddp_spawn"), ("ddp_spawn", "single_device"),
      ("single_device", "ddp_fork"),
    ])
  func twoStrategies(first: String, second: String) throws {
    let run = try ProbeRun("two-strategies", 1, "epochs=2", "strategy=\(first)", "second=\(second)").succeeded()
    #expect(run.run.outputLines.count == 3)
    #expect(Set(run.run.outputLines).count == 1)
  }

  @Test("A spawning trainer after one whose workers run on is refused; before it, it is replayed")
  func afterRelaunch() throws {
    let run = try ProbeRun("two-strategies", 2, "epochs=1", "strategy=ddp", "second=ddp_spawn")
    #expect(run.status == 1)
    #expect(run.failure.contains("has started processes by relaunch (ddp)"))
    let other = try ProbeRun("two-strategies", 2, "epochs=1", "strategy=ddp_fork", "second=ddp")
    #expect(other.run.outputLines.count == 2, "the first two fits ran")
    #expect(other.failure.contains("has started processes by relaunch (ddp)"))
  }

  @Test("Two nodes, each with a main process of its own", arguments: ["ddp"] + others)
  func nodes(method: String) throws {
    for scenario in ["program", "fit"] {
      let options = ["epochs=1", "nodes=2", "strategy=\(method)"]
      let common = "export MASTER_ADDR=127.0.0.1 MASTER_PORT=\(try NodeRuns.freePort())"
      var other: ProbeRun?
      let first = try ProbeRun(scenario, 1, options: options, shell: common + " NODE_RANK=0") { _, _ in
        other = try ProbeRun(scenario, 1, options: options, shell: common + " NODE_RANK=1").succeeded()
      }.succeeded()
      let single = try ProbeRun(scenario, 2, "epochs=1", "strategy=ddp").succeeded()
      if scenario == "program" {
        #expect(lines(first) == lines(single))
      } else {
        #expect(first.weightSums + (other?.weightSums ?? []) == single.weightSums)
      }
    }
  }

  @Test("A worker that takes another path is found out")
  func otherPath() throws {
    let left = try ProbeRun("other-path", 2, "epochs=1", "path=leave", "strategy=ddp_spawn")
    #expect(left.failure.contains("ended with exit status 0 before the run was over"))
    let other = try ProbeRun("other-path", 2, "epochs=1", "path=validate", "strategy=ddp_spawn")
    #expect(other.failure.contains("call 1 of the program is fit in the process that started this one, and validate"))
    let thrown = try ProbeRun("other-path", 2, "epochs=1", "path=throw", "strategy=ddp_spawn")
    #expect(thrown.failure.contains("it printed: the worker fails before its call"))
    #expect(!thrown.run.errors.contains("[rank"), "what is printed before the call is not shown")
  }

  @Test("A strategy may bring a launcher of its own", arguments: [1, 2])
  func ownLauncher(ranks: Int) throws {
    let run = try ProbeRun("own-launcher", ranks).succeeded()
    #expect(run.run.outputLines.first == "launching fit")
    #expect(run.run.outputLines.filter { !$0.hasPrefix("[") }.dropFirst().first == "done with fit")
  }

  @Test("Ranks with different numbers of batches are found before the first step", arguments: ["ddp"] + others)
  func ragged(method: String) throws {
    let run = try ProbeRun("fit", 3, "epochs=1", "ragged", "hooks", "strategy=\(method)")
    #expect(run.status == 1)
    #expect(run.failure.contains("the ranks have different numbers of training batches (2, 4, 6)"))
    #expect(!run.folder.text("hooks.0").contains("trainingStep"))
  }
}

import Foundation
import RunningProcesses
import Synchronization
import Testing

@testable import Stratagem

@Suite("Supervision")
struct SupervisorTests {
  private func command(_ rank: Int, _ program: String, _ arguments: [String], mark: String = "") -> WorkerCommand {
    WorkerCommand(
      identity: WorkerIdentity(localRank: rank, localWorldSize: 4), program: program, arguments: arguments,
      variables: ["PATH": "/usr/bin:/bin", "MARK": mark])
  }

  private func shell(_ rank: Int, _ script: String) -> WorkerCommand { command(rank, "/bin/sh", ["sh", "-c", script]) }

  private func supervisor(_ commands: [WorkerCommand]) throws -> Supervisor {
    try Supervisor(commands, localWorldSize: commands.count + 1, options: SupervisorOptions())
  }

  @Test("The failure is found, its error output kept, and all are gone")
  func failure() throws {
    let supervisor = try supervisor([shell(1, "exec sleep 600"), shell(2, "echo why >&2; exit 3")])
    let failure = try #require(supervisor.rootFailure(within: 30))
    #expect(failure.rank == 2)
    #expect(failure.cause == .exited(3))
    #expect(failure.exitStatus == 3)
    #expect(failure.recentErrorLines == ["why"])
    #expect(supervisor.hasFailed)
    #expect(supervisor.finished.wait(seconds: 30))
    #expect(supervisor.runningRanks.isEmpty)
  }

  @Test("Whoever failed first is the cause")
  func order() throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: file) }
    let afterTheOther = """
      until [ -s \(file.path) ]; do sleep 0.01; done
      while read -r _ _ state _ 2>/dev/null </proc/$(cat \(file.path))/stat && [ $state != Z ]; do :; done
      """
    let supervisor = try supervisor([
      shell(1, afterTheOther + "\nexit 1"), shell(2, "echo $$ >\(file.path); exit 4"),
      shell(3, afterTheOther + "\nkill -ABRT $$"),
    ])
    #expect(supervisor.rootFailure(within: 30)?.rank == 2)
  }

  @Test("Aborted workers are gone and nobody is blamed")
  func abort() throws {
    let supervisor = try supervisor([shell(1, "exec sleep 600"), shell(2, "sleep 600")])
    #expect(supervisor.runningRanks == [1, 2])
    supervisor.abort()
    #expect(supervisor.finished.wait(seconds: 30))
    #expect(!supervisor.hasFailed)
    #expect(supervisor.rootFailure(within: 0) == nil)
  }

  @Test("Waiting returns when all have ended")
  func wait() throws {
    let supervisor = try supervisor([shell(1, "exit 0"), shell(2, "sleep 0.05")])
    #expect(try supervisor.waitForWorkers(within: 30) == [])
    #expect(supervisor.hasFinished)
  }

  @Test("Waiting kills who does not end")
  func waitForStraggler() throws {
    let supervisor = try supervisor([shell(1, "exit 0"), shell(2, "exec sleep 600")])
    while supervisor.runningRanks != [2] { usleep(1000) }
    #expect(try supervisor.waitForWorkers(within: 0.3) == [2])
    #expect(supervisor.finished.wait(seconds: 30))
  }

  @Test("A signal goes to the lowest rank, and to the others when they are to get it")
  func signals() throws {
    let lines = Mutex<[String]>([])
    let commands = (0..<3).map { rank in
      ProgramCommand(
        identity: WorkerIdentity(localRank: rank, localWorldSize: 3), program: "/bin/sh",
        arguments: ["sh", "-c", "trap 'echo asked; exit 3' INT; echo ready; while :; do sleep 0.05; done"],
        variables: ["PATH": "/usr/bin:/bin"])
    }
    let supervisor = try Supervisor.starting(commands) { line in
      lines.withLock { $0.append("\(line.text) \(line.rank)") }
    }
    func wait(until condition: () -> Bool) {
      let deadline = Date(timeIntervalSinceNow: 60)
      while !condition(), Date() < deadline { usleep(1000) }
    }
    wait { lines.withLock { $0.count == 3 } }
    supervisor.interruptFirst(Int(SIGINT))
    wait { supervisor.runningRanks != [0, 1, 2] }
    #expect(supervisor.runningRanks == [1, 2])
    supervisor.interruptOthers(Int(SIGINT))
    #expect(supervisor.waitForEnd(seconds: 60))
    #expect(lines.withLock { $0[3] } == "asked 0")
    #expect(lines.withLock { Set($0) } == Set((0...2).flatMap { ["ready \($0)", "asked \($0)"] }))
    #expect(supervisor.failure == nil)
  }

  @Test("When one worker cannot be started, none is left")
  func cannotStart() throws {
    let mark = UUID().uuidString
    let commands = [
      command(1, "/bin/sleep", ["sleep", "600"], mark: mark), command(2, "/does/not/exist", ["x"], mark: mark),
    ]
    #expect(
      throws: LaunchError.cannotStart(localRank: 2, program: "/does/not/exist", reason: "No such file or directory")
    ) { try supervisor(commands) }
    let left = RunningProcesses.withEnvironment(containing: mark)
    #expect(left.isEmpty)
  }

  @Test("A program can wait for its workers, and cannot launch them again")
  func explicitWait() throws {
    let run = try ProbeRun("wait", processes: 3)
    #expect(run.status == 0)
    #expect(run.lines.contains("all have ended, killed: []"))
    #expect(run.lines.contains("another: no failure"))
    #expect(run.output.contains("refused: the worker processes of this program have ended"))
  }

  @Test("Waiting throws the failure of a worker")
  func explicitWaitThrows() throws {
    let run = try ProbeRun("wait", processes: 2, argument: "failing")
    #expect(run.lines.contains("thrown: rank 1 ended with exit status 9"))
    #expect(run.status == 0, "the program has dealt with it")
  }

  @Test("An output handler gets the lines instead of the terminal")
  func handler() throws {
    let run = try ProbeRun("wait", processes: 2, argument: "handled")
    #expect(run.lines.contains("output of 1: worker is done"))
    #expect(!run.output.contains("[rank 1]"))
  }

  @Test("Only a child of the supervisor is a worker, not the programs that a worker starts")
  func workers() {
    #expect(WorkerProcess.isWorker(["STRATAGEM_SUPERVISOR": "12"], parent: 12))
    #expect(!WorkerProcess.isWorker(["STRATAGEM_SUPERVISOR": "12"], parent: 13))
    #expect(!WorkerProcess.isWorker([:], parent: 12))
    #expect(!WorkerReport(rank: 1, kind: .error, message: "").send())
  }

  @Test("The telling line of a crash is its reason, not the end of its backtrace")
  func tellingLine() {
    let crash = ["loading", "x.swift:3: Fatal error: Index out of range", "", "*** Program crashed: trap ***", "at f"]
    let failure = WorkerFailure(
      rank: 1, cause: .signalled("SIGTRAP"), exitStatus: 133, recentErrorLines: crash + ["Backtrace took 0.01s"])
    #expect(failure.errorLine == "x.swift:3: Fatal error: Index out of range")
    #expect("\(failure)".hasSuffix("it printed: x.swift:3: Fatal error: Index out of range"))
    let many = WorkerFailure(rank: 1, cause: .exited(2), exitStatus: 2, recentErrorLines: (1...50).map { "\($0)" })
    #expect(many.recentErrorLines == (31...50).map { "\($0)" })
    #expect(WorkerFailure(rank: 1, cause: .exited(0), exitStatus: 0).exitStatus == 1)
  }
}

import Foundation
import Stratagem
import Testing

@Suite("Signals to the program leave no process")
struct InterruptTests {
  @Test("The first Ctrl-C or SIGTERM asks the loop to stop", arguments: [SIGINT, SIGTERM])
  func first(signal: Int32) throws {
    let run = try ProbeRun("interrupt", processes: 3, argument: "polling") { started in
      try started.meet("watching", of: 0)
      #expect(started.runningProcesses().count == 3)
      kill(started.pid, signal)
    }
    #expect(run.status == 128 + Int(signal))
    #expect(run.output.contains("stopping for \(signal)"))
    #expect(run.errors.contains(signal == SIGINT ? "Stratagem: stopping after this batch" : "asked to terminate"))
  }

  @Test("The second signal ends a loop that does not listen", arguments: [SIGINT, SIGTERM])
  func second(signal: Int32) throws {
    let run = try ProbeRun("interrupt", processes: 3) { started in
      try started.meet("watching", of: 0)
      kill(started.pid, signal)
      while started.text("stderr").isEmpty { usleep(1000) }
      #expect(started.runningProcesses().count == 3)
      kill(started.pid, signal)
    }
    #expect(run.status == 128 + Int(signal))
  }

  @Test("A single signal ends a loop that never listens")
  func unanswered() throws {
    let run = try ProbeRun("interrupt", processes: 2) { started in
      try started.meet("watching", of: 0)
      kill(started.pid, SIGINT)
    }
    #expect(run.status == 130)
    #expect(run.errors.contains("Stratagem: the run did not stop within 5 s and is ended"))
  }

  @Test("Outside of a run signals do what they always do", arguments: [SIGINT, SIGTERM, SIGKILL, SIGHUP])
  func unwatched(signal: Int32) throws {
    let run = try ProbeRun("hang", processes: 3) { started in
      for rank in 0..<3 { try started.meet("watching", of: rank) }
      kill(started.pid, signal)
    }
    #expect(run.status == 128 + Int(signal))
  }

  @Test("Workers do not outlive a parent that dies while they start")
  func parentDiesAtOnce() throws {
    for delay in stride(from: 0, through: 4000, by: 200) {
      let run = try ProbeRun("die-at-once", processes: 3, argument: String(delay))
      #expect(run.status == 137)
    }
  }

  @Test("Watching sees a signal, and puts the handlers back")
  func watching() {
    let monitor = InterruptMonitor.shared
    var before = sigaction()
    sigaction(SIGTERM, nil, &before)
    monitor.watching {
      #expect(!monitor.isInterrupted)
      monitor.watching { withUnblockedSignals { _ = raise(SIGTERM) } }
      #expect(monitor.isInterrupted)
      #expect(monitor.signal == Int(SIGTERM))
    }
    #expect(!monitor.isInterrupted)
    var after = sigaction()
    sigaction(SIGTERM, nil, &after)
    #expect(
      unsafeBitCast(after.__sigaction_handler, to: Int.self) == unsafeBitCast(before.__sigaction_handler, to: Int.self))
  }
}

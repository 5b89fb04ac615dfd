import Stratagem
import Testing

@Suite("The first failure of a worker is the failure of the run")
struct FailureTests {
  @Test("A reported error reaches rank 0 with message, status and error output")
  func reported() throws {
    let run = try ProbeRun("report", processes: 3, argument: "asking")
    #expect(run.status == 7)
    #expect(run.output.contains("root: rank 1 failed: loss is \"NaN\"\nat step 7 \u{1F4A5}\n"))
    let remembered = run.lines.filter { $0.hasPrefix("remembered: ") }
    #expect(remembered == (6...25).map { "remembered: trace \($0)" })
    #expect(run.errorLines.filter { $0.contains("trace") } == (1...25).map { "[rank 1] trace \($0)" })
  }

  @Test("A stuck rank 0 is ended with the worker's message and status")
  func reportedToStuckRankZero() throws {
    let run = try ProbeRun("report", processes: 3)
    #expect(run.status == 7)
    #expect(run.errors.contains("Stratagem: rank 1 failed: loss is \"NaN\""))
  }

  @Test("An exit without report is told with status and last error line", arguments: ["", "asking"])
  func exited(argument: String) throws {
    let run = try ProbeRun("exit", processes: 3, argument: argument)
    #expect(run.status == 3)
    let told = argument.isEmpty ? run.errors : run.output
    #expect(told.contains("rank 1 ended with exit status 3; it printed: cannot open data.csv"))
  }

  @Test("A death by signal names the signal", arguments: ["SIGKILL", "SIGSEGV"], ["", "-asking"])
  func signalled(signal: String, manner: String) throws {
    let run = try ProbeRun("signal", processes: 3, argument: signal + manner)
    #expect(run.status == (signal == "SIGKILL" ? 137 : 139))
    let told = manner.isEmpty ? run.errors : run.output
    #expect(told.contains("rank 2 was killed by \(signal)"))
    #expect(told.contains(signal == "SIGKILL" ? "out of memory" : "invalid memory access"))
  }

  @Test("A lost connection is a consequence, even when it is noticed first", arguments: ["", "asking"])
  func consequence(argument: String) throws {
    let run = try ProbeRun("consequence", processes: 3, argument: argument)
    #expect(run.status == 137)
    #expect((run.output + run.errors).contains("rank 2 was killed by SIGKILL"))
    #expect(!(run.output + run.errors).contains("rank 1 lost"))
  }

  @Test("A lost connection without a cause is told as such")
  func disconnected() throws {
    let run = try ProbeRun("disconnected", processes: 3, argument: "asking")
    #expect(run.status == 1)
    #expect(run.output.contains("rank 1 lost the other processes"))
    #expect(run.output.contains("connection closed by peer"))
  }

  @Test("A worker that ends too early is found when rank 0 asks")
  func leftEarly() throws {
    let run = try ProbeRun("leave-early", processes: 3)
    #expect(run.status == 1)
    #expect(run.output.contains("root: rank 1 ended with exit status 0 before the run was over"))
  }

  @Test("A failing rank 0 takes hanging workers with it", arguments: [("abort", 4), ("exit", 4), ("kill", 137)])
  func rankZero(argument: String, status: Int) throws {
    let run = try ProbeRun("rank-zero-fails", processes: 3, argument: argument)
    #expect(run.status == status)
    #expect(run.errors == "", "workers are not to blame")
  }

  @Test("A crash of rank 0 takes hanging workers with it")
  func rankZeroCrashes() throws {
    let run = try ProbeRun(
      "rank-zero-fails", processes: 2, argument: "trap", environment: ["SWIFT_BACKTRACE": "enable=no"])
    #expect(run.status > 128)
    #expect(run.errors.contains("rank 0 is broken"))
  }

  @Test("A worker that fails after rank 0 has ended decides the exit status")
  func failsLate() throws {
    let run = try ProbeRun("late-failure", processes: 2)
    #expect(run.status == 5)
    #expect(run.output.contains("[rank 1] rank 1 is still here\n"))
    #expect(run.errors.contains("Stratagem: rank 1 ended with exit status 5"))
  }

  @Test("A worker that does not end is named, waited for and killed")
  func straggles() throws {
    let run = try ProbeRun("straggler", processes: 2, argument: "impatient")
    #expect(run.status == 0)
    #expect(run.errors.contains("Stratagem: waiting for rank 1 to end (up to 1 s)"))
    #expect(run.errors.contains("rank 1 still ran 1 s after rank 0 had ended, and was killed"))
  }

  @Test("The helper processes of a crashed worker go with it")
  func helper() throws {
    let run = try ProbeRun("helper", processes: 2, environment: ["SWIFT_BACKTRACE": "enable=no"])
    #expect(run.status == 139)
  }
}

import Glibc
import Stratagem

/// One process of a probe run.
struct Probe {
  let processes: Int
  let folder: String
  let argument: String
  let launcher: RelaunchLauncher

  init(processes: Int, folder: String, argument: String) {
    self.processes = processes
    self.folder = folder
    self.argument = argument
    var options = SupervisorOptions()
    options.exitTimeout = argument == "impatient" ? 1 : 30
    options.exitNotice = argument == "impatient" ? 0.2 : 2
    if argument == "handled" {
      options.outputHandler = { line in print("\(line.stream) of \(line.rank): \(line.text)") }
    }
    launcher = RelaunchLauncher(ProcessLayout(processesPerNode: processes), options: options)
  }

  var rank: Int { launcher.identity.globalRank }
  var supervisor: Supervisor { launcher.supervisor! }

  /// Starts the workers, waits until all ranks have come this far, and returns the own rank.
  @discardableResult
  func start() -> Int {
    launch()
    mark("ready")
    for other in 0..<processes { meet("ready", of: other) }
    return rank
  }

  func launch() {
    do {
      try launcher.startWorkers(
        port: 29_123, additionalEnvironment: ["STRATAGEM_PROBE_EXTRA": "passed on"])
    } catch {
      print("launch failed: \(error)")
      exit(65)
    }
  }

  func mark(_ event: String) {
    close(open("\(folder)/\(event).\(rank)", O_CREAT | O_WRONLY, 0o600))
  }

  func meet(_ event: String, of other: Int) {
    while access("\(folder)/\(event).\(other)", F_OK) != 0 { usleep(1000) }
  }

  /// Prints a line on standard error.
  func complain(_ text: String) {
    let line = text + "\n"
    write(2, line, line.utf8.count)
  }

  /// Behaves like a process in a collective whose peers do not come.
  func hang() -> Never {
    while true { pause() }
  }

  /// What rank 0 does when another rank fails: it asks for the cause, or is stuck.
  func meetFailure() -> Never {
    guard argument.hasSuffix("asking") else { hang() }
    guard let failure = supervisor.rootFailure(within: 10) else {
      print("nobody failed")
      exit(66)
    }
    print("root: \(failure)")
    for line in failure.recentErrorLines { print("remembered: \(line)") }
    exit(1)
  }
}

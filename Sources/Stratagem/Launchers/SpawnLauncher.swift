import Glibc
internal import TorchDistributed

/// Runs each call in processes that run the program again up to that call.
///
/// Swift has no way to send closures to another process, so a worker begins where the program begins, takes the outcomes
/// of earlier calls from a file, and ends after the call it was started for. What it prints before that call is not
/// shown; everything else that the program does before, it does too.
open class SpawnLauncher: CallLauncher {
  /// Makes a launcher.
  ///
  /// - Parameters:
  ///   - layout: the processes that each call runs in.
  ///   - options: the times of supervision.
  ///   - joinTimeout: seconds that finding the others may take.
  public init(
    _ layout: ProcessLayout, options: SupervisorOptions = SupervisorOptions(), joinTimeout: Double = 300
  ) {
    super.init(layout, options: options, joinTimeout: joinTimeout, maker: ProgramRunner(layout: layout))
  }
}

/// Makes workers by running the program again.
private struct ProgramRunner: WorkerMaker {
  let layout: ProcessLayout

  func check() {}

  func make(
    _ tasks: [CallTask], options: SupervisorOptions, reservation: StoreReservation?
  ) throws(LaunchError) -> MadeWorkers {
    let shared = WorkerCommand.variables(for: layout, from: ClusterEnvironments.processVariables)
    let commands = tasks.map { task in
      WorkerCommand(
        identity: task.identity, program: WorkerProcess.program,
        variables: shared.merging([WorkerVariable.task: task.text]) { $1 })
    }
    var options = options
    options.beginningOfOutput = OutputRelay.beginning
    options.expectsReports = true
    return .inMain(try Supervisor(commands, localWorldSize: layout.processesPerNode, options: options))
  }

  func begin(_ task: CallTask) {
    fflush(nil)
    let line = OutputRelay.beginning + "\n"
    for stream: Int32 in [1, 2] { _ = write(stream, line, line.utf8.count) }
  }
}

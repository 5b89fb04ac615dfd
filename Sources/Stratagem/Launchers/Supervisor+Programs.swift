import Synchronization

/// A process of a run in which the process that starts it has no part.
package struct ProgramCommand: Sendable {
  let identity: WorkerIdentity
  let program: String
  let arguments: [String]
  let variables: [String: String]

  /// - Parameters:
  ///   - program: the path of the executable.
  ///   - arguments: with the name of the program first.
  ///   - variables: the whole environment.
  package init(identity: WorkerIdentity, program: String, arguments: [String], variables: [String: String]) {
    self.identity = identity
    self.program = program
    self.arguments = arguments
    self.variables = variables
  }
}

extension Supervisor {
  /// Starts the processes of a run and watches over them from outside: this process is none of its ranks.
  ///
  /// - Parameter announcement: a socket on which each process tells its number, which is that of the process group it
  ///   leads, and a newline, before the program begins in it.
  package static func starting(
    _ commands: [ProgramCommand], announcement: Int32? = nil, outputHandler: (@Sendable (WorkerOutputLine) -> Void)?
  ) throws(LaunchError) -> Supervisor {
    var options = SupervisorOptions()
    options.outputHandler = outputHandler
    options.announcement = announcement
    let workers = commands.map {
      WorkerCommand(identity: $0.identity, program: $0.program, arguments: $0.arguments, variables: $0.variables)
    }
    let supervisor = try Supervisor(workers, localWorldSize: commands.count, options: options)
    supervisor.state.withLock { $0.rankZeroIsAttending = true }
    return supervisor
  }

  /// Waits until all processes have ended and their output is printed, and returns whether they have.
  package func waitForEnd(seconds: Double) -> Bool { finished.wait(seconds: seconds) }

  /// The failure that ended the run.
  package var failure: WorkerFailure? { state.withLock { $0.failure } }

  /// Sends a signal to the process of the lowest rank. From then on the end of a process, whatever its status, is no
  /// failure.
  package func interruptFirst(_ signal: Int) {
    state.withLock { state in
      state.isStopping = true
      state.signal = signal
    }
    wake.signal()
  }

  /// Sends a signal to the processes of all other ranks.
  package func interruptOthers(_ signal: Int) {
    state.withLock { $0.signalToOthers = signal }
    wake.signal()
  }
}

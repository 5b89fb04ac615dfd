import CProcess
import Glibc

/// What is run as one worker.
struct WorkerCommand: Sendable {
  let identity: WorkerIdentity
  let program: String
  var arguments = CommandLine.arguments
  let variables: [String: String]

  /// The running process and the ends of its pipes that the supervisor keeps.
  struct Running {
    let pid: pid_t
    let pidfd: Int32
    let output: Int32
    let errors: Int32
    let report: Int32
  }

  /// What all workers of a node find in their environment, apart from their ranks.
  static func variables(for layout: ProcessLayout, from environment: [String: String]) -> [String: String] {
    var shared = environment
    shared[WorkerVariable.runID] = RunID.resolve(environment)
    shared[WorkerVariable.supervisor] = String(getpid())
    shared[WorkerVariable.calls] = CallFolder.path
    if shared[WorkerVariable.threadCount] == nil {
      shared[WorkerVariable.threadCount] = String(layout.threadsPerProcess)
    }
    // A crash should show its source line; registers and colours only hide it among the lines of other ranks.
    if shared[WorkerVariable.backtrace] == nil {
      shared[WorkerVariable.backtrace] = "preset=friendly,interactive=no,color=no"
    }
    return shared
  }

  /// Starts the worker, which dies with the calling thread.
  ///
  /// - Parameter announcement: a socket on which the worker tells its process id before its program begins.
  func start(announcement: Int32?) throws(LaunchError) -> Running {
    var pipes: [(read: Int32, write: Int32)] = []
    defer { for pipe in pipes { close(pipe.write) } }
    func failure(_ code: Int32) -> LaunchError {
      for pipe in pipes { close(pipe.read) }
      return .cannotStart(
        localRank: identity.localRank, program: program, reason: String(cString: strerror(code)))
    }
    for _ in 0..<3 {
      var ends: (read: Int32, write: Int32) = (-1, -1)
      let code = cp_pipe(&ends.read, &ends.write)
      guard code == 0 else { throw failure(code) }
      pipes.append(ends)
    }

    var pid: pid_t = -1
    var pidfd: Int32 = -1
    let entries = variables.map { "\($0.key)=\($0.value)" }
    let code = withCStrings(arguments) { argv in
      withCStrings(entries) { envp in
        cp_spawn(
          program, argv, envp, pipes[0].write, pipes[1].write, pipes[2].write, announcement ?? -1, &pid, &pidfd)
      }
    }
    guard code == 0 else { throw failure(code) }
    return Running(
      pid: pid, pidfd: pidfd, output: pipes[0].read, errors: pipes[1].read, report: pipes[2].read)
  }

  private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    return pointers.withUnsafeBufferPointer { body($0.baseAddress!) }
  }
}

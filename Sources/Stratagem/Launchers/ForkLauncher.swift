import CProcess
import Glibc
internal import TorchDistributed

/// Runs each call in copies of this process, made by `fork` at the call.
///
/// A copy has this process's memory, but of its threads only the one that calls. A lock that another thread held stays
/// locked for ever, so this launcher refuses to fork while there are other threads, or when an accelerator is in use.
open class ForkLauncher: CallLauncher {
  /// Makes a launcher.
  ///
  /// - Parameters:
  ///   - layout: the processes that each call runs in.
  ///   - options: the times of supervision.
  ///   - joinTimeout: seconds that finding the others may take.
  public init(
    _ layout: ProcessLayout, options: SupervisorOptions = SupervisorOptions(), joinTimeout: Double = 300
  ) {
    super.init(layout, options: options, joinTimeout: joinTimeout, maker: ProcessCopier(layout: layout))
  }
}

/// Makes workers by copying this process.
private struct ProcessCopier: WorkerMaker {
  let layout: ProcessLayout

  func check() throws(LaunchError) {
    if let device = AcceleratorFiles.openDevice() { throw .cannotForkWithAccelerator(device) }
    let others = ProcessThreads.others()
    if !others.isEmpty { throw .cannotForkWithThreads(others) }
  }

  func make(
    _ tasks: [CallTask], options: SupervisorOptions, reservation: StoreReservation?
  ) throws(LaunchError) -> MadeWorkers {
    let shared = WorkerCommand.variables(for: layout, from: ClusterEnvironments.processVariables)
    var started: [SupervisedWorker] = []
    // What is buffered would be printed by every copy.
    fflush(nil)
    for task in tasks {
      let rank = task.identity.globalRank
      do {
        guard let worker = try copy(task, shared, closing: started) else {
          reservation?.cancel()
          return .inWorker(task)
        }
        started.append(worker)
      } catch {
        for worker in started {
          cp_kill_group(worker.pid)
          worker.waitForEnd()
        }
        throw LaunchError.cannotStart(
          localRank: rank, program: "a copy of this process", reason: String(cString: strerror(error.code)))
      }
    }
    var options = options
    options.expectsReports = true
    return .inMain(try Supervisor(started, localWorldSize: layout.processesPerNode, options: options))
  }

  /// Copies the process; returns nil in the copy.
  private func copy(
    _ task: CallTask, _ shared: [String: String], closing others: [SupervisedWorker]
  ) throws(SystemError) -> SupervisedWorker? {
    var pipes: [(read: Int32, write: Int32)] = []
    defer { for pipe in pipes { close(pipe.write) } }
    for _ in 0..<3 {
      var ends: (read: Int32, write: Int32) = (-1, -1)
      let code = cp_pipe(&ends.read, &ends.write)
      guard code == 0 else { throw SystemError(code: code) }
      pipes.append(ends)
    }
    var pid: pid_t = -1
    var pidfd: Int32 = -1
    let code = cp_fork(pipes[0].write, pipes[1].write, &pid, &pidfd)
    guard code == 0 else {
      for pipe in pipes { close(pipe.read) }
      throw SystemError(code: code)
    }
    guard pid == 0 else {
      return SupervisedWorker(
        rank: task.identity.globalRank,
        WorkerCommand.Running(
          pid: pid, pidfd: pidfd, output: pipes[0].read, errors: pipes[1].read, report: pipes[2].read))
    }
    for pipe in pipes { close(pipe.read) }
    for other in others { other.forget() }
    WorkerProcess.reportDescriptor = dup(pipes[2].write)
    for (name, value) in shared { setenv(name, value, 1) }
    InterruptMonitor.shared.processWasForked()
    return nil
  }

  func begin(_ task: CallTask) {}
}

/// A call of the operating system that failed.
private struct SystemError: Error {
  let code: Int32
}

import CProcess
import Glibc

/// What a process knows about being a worker, and how it is run again.
public enum WorkerProcess {
  /// Whether this process was started by a supervisor that is still its parent.
  public static var isWorker: Bool { isWorker(ProcessVariables.current, parent: getppid()) }

  // A program started by a worker inherits the variable, but has another parent.
  static func isWorker(_ environment: [String: String], parent: Int32) -> Bool {
    environment[WorkerVariable.supervisor] == String(parent)
  }

  /// Whether this process was started by `stratagem launch`, which is still its parent.
  static var isLaunched: Bool { ProcessVariables.current[WorkerVariable.launcher] == String(getppid()) }

  /// Where a worker writes its report.
  nonisolated(unsafe) static var reportDescriptor: Int32 = CP_REPORT_DESCRIPTOR

  /// The path of this executable; the link in /proc when the file was replaced since it was started.
  static var program: String {
    let link = "/proc/self/exe"
    guard let path = SystemFolder.target(of: link) else { return link }
    var running = stat()
    var onDisk = stat()
    guard stat(link, &running) == 0, stat(path, &onDisk) == 0, running.st_ino == onDisk.st_ino,
      running.st_dev == onDisk.st_dev
    else { return link }
    return path
  }
}

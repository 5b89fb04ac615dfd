import Glibc

/// The threads of this process.
enum ProcessThreads {
  /// Threads of our own that wait for a signal, hold no lock, and are started anew where they are missing.
  private static let idle: Set = [BackgroundThread.visibleName(InterruptMonitor.threadName)]

  /// The names of all threads but the calling one and those that do no harm; one that is about to end is waited for.
  ///
  /// - Parameter seconds: how long threads are waited for; those of our own, which end when their work is done, longer.
  static func others(within seconds: Double = 0.5) -> [String] {
    var (patience, longPatience) = (Patience(seconds), Patience(20))
    while true {
      let names = names().filter { !idle.contains($0) }
      let isOver = patience.isOver()
      let isLongOver = longPatience.isOver()
      if names.isEmpty || isLongOver || (isOver && !names.allSatisfy(BackgroundThread.isOwn)) { return names.sorted() }
      usleep(1000)
    }
  }

  private static func names() -> [String] {
    let own = SystemFolder.target(of: "/proc/thread-self")?.split(separator: "/").last.map(String.init)
    return SystemFolder.names(in: "/proc/self/task").filter { $0 != own }.compactMap { thread in
      SystemFolder.text(of: "/proc/self/task/\(thread)/comm").map { String($0.dropLast()) }
    }
  }
}

/// Whether this process uses an accelerator, which a copy of it could not.
enum AcceleratorFiles {
  /// The file that a context of an accelerator keeps open: CUDA's memory, ROCm's driver, Gaudi's devices.
  private static let devices = ["/dev/nvidia-uvm", "/dev/kfd", "/dev/accel"]

  /// The device that is in use; nil when none is.
  static func openDevice(descriptors: String = "/proc/self/fd") -> String? {
    SystemFolder.names(in: descriptors).lazy.compactMap { name in
      SystemFolder.target(of: "\(descriptors)/\(name)").flatMap { target in
        devices.contains { target.hasPrefix($0) } ? target : nil
      }
    }.first
  }
}

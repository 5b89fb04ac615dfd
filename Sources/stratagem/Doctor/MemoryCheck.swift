internal import Glibc
internal import Stratagem

/// Memory, shared memory and open files.
enum MemoryCheck {
  static var findings: [Finding] { [memory, sharedMemory, openFiles] }

  private static var memory: Finding {
    guard let total = AvailableMemory.machineByteCount, let available = AvailableMemory.byteCount else {
      return .warning("memory", "/proc/meminfo cannot be read", "mount /proc")
    }
    var message = "\(ByteText.of(available)) of \(ByteText.of(total)) available"
    if let limit = AvailableMemory.limit, limit < total {
      message += "; control group and ulimit allow this process \(ByteText.of(limit))"
    }
    if available < 1_000_000_000 {
      return .warning("memory", message, "end other programs, raise the limits, or use a machine with more")
    }
    return .ok("memory", message)
  }

  private static var sharedMemory: Finding {
    var status = statvfs()
    guard statvfs("/dev/shm", &status) == 0 else {
      return .warning(
        "/dev/shm", String(cString: strerror(errno)), "mount it: mount -t tmpfs tmpfs /dev/shm")
    }
    let free = Int(status.f_bavail) * Int(status.f_frsize)
    let total = Int(status.f_blocks) * Int(status.f_frsize)
    let message = "\(ByteText.of(free)) of \(ByteText.of(total)) free"
    if free < 64_000_000 {
      return .warning("/dev/shm", message, "in a container, start it with a larger one: --shm-size=1g")
    }
    return .ok("/dev/shm", message)
  }

  private static var openFiles: Finding {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    if limit.rlim_cur < 1024 {
      return .warning("open files", "a process may open \(limit.rlim_cur)", "raise it: ulimit -n 4096")
    }
    return .ok("open files", "a process may open \(limit.rlim_cur)")
  }
}

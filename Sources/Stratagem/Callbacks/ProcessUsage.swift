import Glibc

/// What a process uses of its machine, as Linux tells in `/proc`.
struct ProcessUsage {
  /// Seconds of processor time of all threads, since the process began.
  let processorSeconds: Double
  let residentBytes: Int
  let threads: Int
  /// Processes of the machine that run or wait to run, over the last minute.
  let loadAverage: Double
  /// When this was measured, in seconds of a clock that nobody sets.
  let time: Double

  /// That of this process; nil where there is no `/proc`.
  static var current: ProcessUsage? {
    guard let stat = text("/proc/self/stat"), let statm = text("/proc/self/statm") else { return nil }
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return ProcessUsage(
      stat: stat, statm: statm, loadAverage: text("/proc/loadavg") ?? "",
      time: Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9)
  }

  /// Reads the contents of the three files; nil when they are not what `man proc` says.
  init?(stat: String, statm: String, loadAverage: String, time: Double) {
    // The second field is the name of the program, in parentheses, and may contain anything.
    guard let end = stat.lastIndex(of: ")") else { return nil }
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    let pages = statm.split(separator: " ")
    guard fields.count > 17, let user = Double(fields[11]), let system = Double(fields[12]),
      let threads = Int(fields[17]), pages.count > 1, let resident = Int(pages[1])
    else { return nil }
    processorSeconds = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    residentBytes = resident * sysconf(Int32(_SC_PAGESIZE))
    self.threads = threads
    self.loadAverage = loadAverage.split(separator: " ").first.flatMap { Double($0) } ?? .nan
    self.time = time
  }

  /// Processor time in percent of the time since an earlier measurement.
  func percent(since earlier: ProcessUsage?) -> Double {
    guard let earlier, time > earlier.time else { return 0 }
    return 100 * (processorSeconds - earlier.processorSeconds) / (time - earlier.time)
  }

  /// The beginning of a file.
  private static func text(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = read(descriptor, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
  }
}

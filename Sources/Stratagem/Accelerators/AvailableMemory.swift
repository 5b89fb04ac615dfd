internal import Glibc

/// The memory that a program can still have: of the machine, of its control group, and below the limits of the process.
package enum AvailableMemory {
  /// The memory of the machine in bytes; nil when the system does not tell.
  package static var machineByteCount: Int? { number("MemTotal", in: "/proc/meminfo").map { $0 << 10 } }

  /// In bytes; nil when the system does not tell.
  package static var byteCount: Int? {
    let free = number("MemAvailable", in: "/proc/meminfo").map { $0 << 10 }
    let groups = controlGroups().compactMap { group in group.used.map { max(0, group.limit - $0) } }
    return ([free].compactMap { $0 } + groups + processLimits.map(\.rest)).min()
  }

  /// What this process may have at most, when it may have less than the machine has.
  package static var limit: Int? { (controlGroups().map(\.limit) + processLimits.map(\.limit)).min() }

  /// Whether what is freed is to be free at once, although it takes time to get it again.
  static var isScarce: Bool { keptByteCount == leastKept }

  /// The bytes of freed memory that a process may keep for what comes next.
  static var keptByteCount: Int {
    let limit = limit ?? .max
    return limit < 1 << 30 ? leastKept : min(1 << 30, limit / 8)
  }

  static let leastKept = 1 << 20

  /// `ulimit -d` and `ulimit -v`.
  private static var processLimits: [(limit: Int, rest: Int)] {
    [(RLIMIT_DATA, "VmData"), (RLIMIT_AS, "VmSize")].compactMap { resource, name in
      var limit = rlimit()
      guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0, limit.rlim_cur < rlim_t(Int.max) else {
        return nil
      }
      let used = number(name, in: "/proc/self/status").map { $0 << 10 } ?? 0
      return (Int(limit.rlim_cur), max(0, Int(limit.rlim_cur) - used))
    }
  }

  /// The limits of the control groups that the process is in, and what the groups use; of both versions.
  ///
  /// - Parameter system: the folder that `/proc` and `/sys` are in.
  static func controlGroups(in system: String = "") -> [(limit: Int, used: Int?)] {
    let total = machineByteCount ?? Int.max
    return lines(of: "\(system)/proc/self/cgroup").flatMap { line -> [(limit: Int, used: Int?)] in
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { return [] }
      let isFirstVersion = parts[1].split(separator: ",").contains("memory")
      guard isFirstVersion || parts[1].isEmpty else { return [] }
      let root = system + (isFirstVersion ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup")
      let names = isFirstVersion ? ("memory.limit_in_bytes", "memory.usage_in_bytes") : ("memory.max", "memory.current")
      // In a container the path may be that of the host; its own group is then at the root.
      var path = String(parts[2])
      var found: [(limit: Int, used: Int?)] = []
      while true {
        let folder = path == "/" ? root : root + path
        if let limit = number(of: "\(folder)/\(names.0)"), limit < total {
          let cache = number("inactive_file", in: "\(folder)/memory.stat") ?? 0
          found.append((limit, number(of: "\(folder)/\(names.1)").map { max(0, $0 - cache) }))
        }
        guard path != "/", let end = path.lastIndex(of: "/") else { return found }
        path = end == path.startIndex ? "/" : String(path[..<end])
      }
    }
  }

  /// The number behind a name, as in `MemTotal: 1024 kB`.
  private static func number(_ name: String, in path: String) -> Int? {
    for line in lines(of: path) {
      let words = line.split { $0 == " " || $0 == "\t" || $0 == ":" }
      if words.count > 1, words[0] == name { return Int(words[1]) }
    }
    return nil
  }

  private static func number(of path: String) -> Int? { lines(of: path).first.flatMap { Int($0) } }

  private static func lines(of path: String) -> [String] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var lines: [String] = []
    var line = [CChar](repeating: 0, count: 512)
    while fgets(&line, Int32(line.count), file) != nil {
      lines.append(String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
    return lines
  }
}

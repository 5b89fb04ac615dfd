import Glibc
import Stratagem

/// Processes by what their arguments or environment hold.
///
/// Foundation is not used here: its listing of a folder copies directory entries of full length, past the end of what the
/// kernel wrote, and its reader trusts the sizes of files; in /proc, where entries vanish while they are read, a test run
/// ended by a segmentation fault in it.
public enum RunningProcesses {
  /// The processes whose environment holds `mark`. Dead ones have no environment.
  public static func withEnvironment(containing mark: String) -> [Int32] {
    let mark = Array(mark.utf8)
    return all().filter { bytes(of: "/proc/\($0)/environ").contains(mark) }
  }

  /// The processes whose arguments or environment hold `mark`, with their command lines.
  public static func naming(_ mark: String) -> [(pid: Int32, commandLine: String)] {
    let mark = Array(mark.utf8)
    return all().compactMap { pid in
      let arguments = bytes(of: "/proc/\(pid)/cmdline")
      guard arguments.contains(mark) || bytes(of: "/proc/\(pid)/environ").contains(mark) else { return nil }
      let words = arguments.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      return (pid, words.joined(separator: " "))
    }
  }

  public static func environment(of pid: Int32, contains text: String) -> Bool {
    bytes(of: "/proc/\(pid)/environ").contains(Array(text.utf8))
  }

  private static func all() -> [Int32] {
    SystemFolder.entries(of: "/proc")?.compactMap { Int32($0) } ?? []
  }

  private static func bytes(of path: String) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 16384)
    while case let count = read(descriptor, &block, block.count), count > 0 { bytes += block[..<count] }
    return bytes
  }
}

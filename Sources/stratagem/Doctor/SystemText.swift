internal import Glibc

/// Small files of the system as text.
enum SystemText {
  /// The text of a file such as `/proc/meminfo`; nil when it cannot be read.
  static func read(_ path: String) -> String? {
    guard let file = fopen(path, "re") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The lines of a file, without blanks around them.
  static func lines(_ path: String) -> [Substring] { read(path)?.split(separator: "\n") ?? [] }

  /// The number of kilobytes of an entry of `/proc/meminfo`, in bytes.
  static func memory(_ name: String) -> Int? {
    for line in lines("/proc/meminfo") where line.hasPrefix(name + ":") {
      return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }
    return nil
  }
}

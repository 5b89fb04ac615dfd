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
}

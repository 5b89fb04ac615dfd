import Glibc

enum ResidentMemory {
  /// The bytes of this process that are in memory.
  static var byteCount: Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, Int32(line.count), file) != nil else { return 0 }
    let numbers = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      .split(separator: " ").compactMap { Int($0) }
    return (numbers.count > 1 ? numbers[1] : 0) * sysconf(Int32(_SC_PAGESIZE))
  }
}

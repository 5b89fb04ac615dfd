import Glibc

/// Folders and small files of the system, such as those of /proc.
package enum SystemFolder {
  private static let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name)!

  /// The names in a folder; empty when there is none.
  static func names(in path: String) -> [String] { entries(of: path) ?? [] }

  /// The names in a folder; nil, with the reason in `errno`, when it cannot be opened.
  package static func entries(of path: String) -> [String]? {
    guard let folder = opendir(path) else { return nil }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      // Not by value: an entry is shorter than its type says, and what follows the last one may not be readable.
      let name = String(cString: (UnsafeRawPointer(entry) + nameOffset).assumingMemoryBound(to: CChar.self))
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// The first 4096 bytes of a file as text; nil when it cannot be read.
  package static func text(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = read(descriptor, &bytes, bytes.count)
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
  }

  /// Where a symbolic link points; nil when it is none.
  static func target(of path: String) -> String? {
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let count = readlink(path, &bytes, Int(PATH_MAX))
    return count > 0 ? String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
  }
}

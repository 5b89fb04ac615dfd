internal import Glibc

/// Folders for outputs.
enum Folder {
  /// Creates a folder and those above it.
  static func create(_ path: String) throws {
    var built = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      built += (built.isEmpty || built.hasSuffix("/") ? "" : "/") + part
      if mkdir(built, 0o777) != 0 && errno != EEXIST {
        throw CheckpointError(path: built, reason: "the folder cannot be created: \(String(cString: strerror(errno)))")
      }
    }
  }

  static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}

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

  /// The path from the root of the file system, as it is now.
  static func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
    defer { free(folder) }
    return String(cString: folder) + "/" + path
  }

  /// The path without links, when there is such a file.
  static func resolved(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return absolute(path) }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// What is in a folder, in order of name; nothing when there is no such folder.
  static func names(in path: String) -> [String] { SystemFolder.names(in: path).sorted() }

  /// When a file was last written, in seconds; nil when there is none.
  static func modificationTime(_ path: String) -> Double? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) * 1e-9
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}

internal import Glibc
internal import Stratagem

/// Makes sure, before processes are started, that files can be written where the flags say.
enum WritableFolder {
  /// Checks that a folder exists and can be written to, or can be made. Nothing is made yet.
  ///
  /// - Parameters:
  ///   - flag: what to call the folder in an error.
  ///   - mustExist: whether nobody will make the folder.
  /// - Throws: `ConfigurationError` that names `flag`, the folder and what stands in the way.
  static func check(_ path: String, flag: String, mustExist: Bool = false) throws {
    var candidate = path
    var status = stat()
    while stat(candidate, &status) != 0 {
      let code = errno
      let parent = parent(of: candidate)
      guard code == ENOENT, !mustExist, parent != candidate else {
        throw problem(path, flag, "\(candidate): \(String(cString: strerror(code)))")
      }
      candidate = parent
    }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw problem(path, flag, "\(candidate) is not a folder") }
    guard access(candidate, W_OK | X_OK) == 0 else {
      throw problem(path, flag, "\(candidate): \(String(cString: strerror(errno)))")
    }
  }

  /// Makes a folder and those above it.
  static func create(_ path: String) throws(ConfigurationError) {
    if mkdir(path, 0o777) == 0 || errno == EEXIST { return }
    var code = errno
    if code == ENOENT, parent(of: path) != path {
      try create(parent(of: path))
      if mkdir(path, 0o777) == 0 || errno == EEXIST { return }
      code = errno
    }
    throw problem(path, "--output", "\(path): \(String(cString: strerror(code)))")
  }

  static func parent(of path: String) -> String {
    var trimmed = path[...]
    while trimmed.count > 1, trimmed.last == "/" { trimmed.removeLast() }
    guard let slash = trimmed.lastIndex(of: "/") else { return "." }
    return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
  }

  private static func problem(_ path: String, _ flag: String, _ reason: String) -> ConfigurationError {
    ConfigurationError(
      flag, "\(flag) \(path): nothing can be written there (\(reason))", suggestion: "name another folder")
  }
}

import Glibc

/// A file that could not be read or written, and why.
public struct FileError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file as the caller named it; empty for bytes in memory.
  public let path: String
  /// One sentence without the path: what is wrong and, where there is a way, how to mend it.
  public let reason: String

  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  /// An error of the operating system, such as "cannot open the file: No such file or directory".
  package init(path: String, action: String, code: Int32) {
    self.init(path: path, reason: "\(action): \(String(cString: strerror(code)))")
  }

  /// An error of the operating system in the writing of a file, with the limit that it is due to.
  package init(path: String, writing code: Int32) {
    self.init(
      path: path,
      reason: "cannot be written: \(String(cString: strerror(code)))\(FileSizeLimit.explanation(of: code))")
  }

  public var description: String { path.isEmpty ? reason : "\(path): \(reason)" }
}

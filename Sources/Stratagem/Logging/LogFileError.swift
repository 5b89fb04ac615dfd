import Glibc
internal import Torch

/// A failure to read or write a file of a logger.
public struct LogFileError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What was attempted, as in "cannot write": `write`, `open`, `rename`.
  public let operation: String
  /// The file or folder.
  public let path: String
  /// What went wrong, in words; for a failed system call the text of `code`.
  public let reason: String
  /// The `errno` of the failed system call; `nil` when none failed.
  public let code: Int32?

  package init(_ operation: String, path: String, reason: String) {
    self.operation = operation
    self.path = path
    self.reason = reason
    self.code = nil
  }

  /// Makes an error from `errno`, which must not have been changed since the call failed.
  package init(_ operation: String, path: String, errno code: Int32) {
    self.operation = operation
    self.path = path
    self.reason = strerror(code).map { String(cString: $0) } ?? "unknown error"
    self.code = code
  }

  /// One line: what could not be done, with which file, and why.
  public var description: String {
    "cannot \(operation) '\(path)': \(reason)"
      + (code.map { " (errno \($0))\(FileSizeLimit.explanation(of: $0))" } ?? "")
  }
}

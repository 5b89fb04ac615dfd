import Glibc

/// The size that files of this process may have (`ulimit -f`).
package enum FileSizeLimit {
  /// In bytes; nil when there is none.
  package static var byteCount: Int? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0, limit.rlim_cur < rlim_t(Int.max) else {
      return nil
    }
    return Int(limit.rlim_cur)
  }

  /// Lets a write past the limit fail, so that its error names the file, where it would end the process. A program that
  /// has its own way with the signal is left alone.
  package static func makeErrors() { _ = handling }

  private static let handling: Void = {
    var action = sigaction()
    guard sigaction(SIGXFSZ, nil, &action) == 0, action.__sigaction_handler.sa_handler == nil else { return }
    signal(SIGXFSZ, SIG_IGN)
  }()

  /// What to add to an error of a write; empty when it has another cause.
  package static func explanation(of code: Int32) -> String {
    guard code == EFBIG, let byteCount else { return "" }
    return "; files of this process may have \(byteCount) bytes (ulimit -f)"
  }
}

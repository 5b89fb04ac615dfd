import CProcess
import Glibc
package import Torch

/// What this process prints.
package enum StandardOutput {
  /// Throws when the file that standard output goes to could not take everything. A reader that has gone is no error.
  package static func check() throws(FileError) {
    let code = cp_output_failure()
    guard [EFBIG, ENOSPC, EDQUOT, EIO].contains(code) else { return }
    throw FileError(path: "standard output", writing: code)
  }
}

internal import CProcess
internal import Glibc

/// A store has no room, or cannot be read or written.
public struct ShardStoreError: Error, CustomStringConvertible, Sendable {
  /// The folder of a store on a disk.
  public let folder: String?
  /// The bytes that were to be written, and those that there is room for.
  public let needed: Int?
  public let available: Int?
  public let description: String

  init(_ description: String) {
    folder = nil
    needed = nil
    available = nil
    self.description = description
  }

  /// - Parameters:
  ///   - what: what failed, such as `writing 'layer 3'`.
  ///   - code: the `errno` value.
  ///   - needed: the bytes that were to be written, where room may be the reason.
  init(_ what: String, in folder: String, code: Int32, needed: Int? = nil) {
    self.folder = folder
    self.needed = needed
    var space: UInt64 = 0
    var limit: UInt64 = 0
    let isKnown = cp_free_space(folder, &space, &limit) == 0
    available = needed != nil && isKnown ? Int(clamping: min(space, limit)) : nil
    var text = "\(what) in \(folder) fails: \(String(cString: strerror(code)))"
    if let needed, code == ENOSPC || code == EFBIG || code == EDQUOT {
      text += "; \(needed) bytes are needed"
      if let available { text += " and \(available) are available" }
      text +=
        code == EFBIG
        ? ": raise the limit of the size of files (ulimit -f), or offload less"
        : ": free some, give a folder on a larger disk, or offload less"
    } else if code == ENOENT || code == ENOTDIR || code == EACCES || code == EROFS {
      text += ": give an existing folder that can be written to"
    }
    description = text
  }
}

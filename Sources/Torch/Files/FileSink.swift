internal import CTorch
import Glibc

/// Puts bytes into an open file, one thread at a time, and keeps the error that ends it.
final class FileSink {
  /// What the addresses, positions and counts of writes past the page cache are multiples of.
  static let alignment = 4096

  /// The bytes that the operating system has taken.
  private(set) var writtenCount = 0
  /// Why it has taken no more.
  private(set) var failure: Int32?
  private let descriptor: Int32
  private let writeBytes: AtomicFile.Write
  /// Whether bytes go past the page cache.
  private var isDirect = false

  init(_ descriptor: Int32, writeBytes: @escaping AtomicFile.Write) {
    self.descriptor = descriptor
    self.writeBytes = writeBytes
  }

  /// Lets bytes go past the page cache from now on; false when the file system has no such way.
  func writePastCache() -> Bool {
    isDirect = ct_file_set_direct(descriptor, true)
    return isDirect
  }

  func usePageCache() {
    guard isDirect else { return }
    isDirect = false
    _ = ct_file_set_direct(descriptor, false)
  }

  /// Writes all of the bytes; returns whether it could. After a failure nothing more is written.
  ///
  /// Past the page cache go whole blocks, so that only the last bytes of the file may be less.
  func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var rest = bytes
    while failure == nil, !rest.isEmpty {
      if isDirect, rest.count < Self.alignment { usePageCache() }
      // Linux writes at most 2 GiB a call; zero bytes would never come to an end.
      let length = min(rest.count, 1 << 30)
      let wanted = isDirect ? length / Self.alignment * Self.alignment : length
      let count = writeBytes(descriptor, UnsafeRawBufferPointer(rebasing: rest.prefix(wanted)))
      if count < 0 && errno == EINTR { continue }
      if count < 0, errno == EINVAL, isDirect {
        // The file system has let it be asked for, and cannot do it, or the file would end within a block at a limit,
        // which the next attempt tells.
        usePageCache()
        continue
      }
      guard count > 0 else {
        failure = count < 0 ? errno : EIO
        break
      }
      writtenCount += count
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
    }
    return failure == nil
  }
}

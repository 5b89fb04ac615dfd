import Glibc
internal import Stratagem

/// A file that grows at its end: what is collected in memory goes to it in whole records.
struct AppendedFile {
  let path: String
  /// What has not been written yet.
  var buffer: [UInt8] = []
  private var descriptor: Int32
  private var lastFlush = Self.seconds

  /// Collected bytes after which they are written.
  static let capacity = 64 * 1024

  /// - Parameter descriptor: the file, open for appending; it is closed by `close()`.
  init(path: String, descriptor: Int32) {
    self.path = path
    self.descriptor = descriptor
    buffer.reserveCapacity(Self.capacity + 4096)
  }

  /// Opens the file again after `close()`.
  mutating func reopen() throws(LogFileError) {
    if descriptor < 0 { descriptor = try LogFile.openForAppending(path) }
  }

  /// Whether what is collected is to be written: there is much of it, or it is `interval` seconds old.
  func isDue(after interval: Double) -> Bool {
    buffer.count >= Self.capacity || Self.seconds - lastFlush >= interval
  }

  /// Writes what is collected. When that fails, the file is cut back to its last whole record, and the rest stays in
  /// memory for the next attempt.
  ///
  /// - Parameter wholeLength: the length of the whole records at the beginning of some bytes.
  mutating func flush(_ wholeLength: (ArraySlice<UInt8>) -> Int) throws(LogFileError) {
    lastFlush = Self.seconds
    guard descriptor >= 0, !buffer.isEmpty else { return }
    let (count, code) = buffer.withUnsafeBytes { LogFile.write($0, to: descriptor) }
    if code == 0 {
      buffer.removeAll(keepingCapacity: true)
      return
    }
    let whole = wholeLength(buffer[..<count])
    var status = stat()
    if count > whole, fstat(descriptor, &status) == 0 { ftruncate(descriptor, status.st_size - (count - whole)) }
    buffer.removeSubrange(..<whole)
    throw LogFileError("write", path: path, errno: code)
  }

  mutating func close(_ wholeLength: (ArraySlice<UInt8>) -> Int) throws(LogFileError) {
    guard descriptor >= 0 else { return }
    defer {
      LogFile.close(descriptor)
      descriptor = -1
    }
    try flush(wholeLength)
  }

  /// A clock that nobody sets.
  private static var seconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}

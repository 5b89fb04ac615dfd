import Glibc

/// An open file that is read at positions; every read is checked against its size.
package final class InputFile {
  package let path: String
  package let byteCount: Int
  private let descriptor: Int32
  /// Where in the file position 0 is.
  private let origin: Int

  /// - Parameter part: the bytes to read as if they were a file of their own; the whole file when left out.
  package init(_ path: String, part: Range<Int>? = nil) throws(FileError) {
    self.path = path
    origin = part?.lowerBound ?? 0
    let opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard opened >= 0 else { throw FileError(path: path, action: "cannot open the file", code: errno) }
    var status = stat()
    guard fstat(opened, &status) == 0 else {
      let code = errno
      close(opened)
      throw FileError(path: path, action: "cannot examine the file", code: code)
    }
    let kind = status.st_mode & S_IFMT
    guard kind == S_IFREG else {
      close(opened)
      throw FileError(path: path, reason: kind == S_IFDIR ? "is a directory, not a file" : "is not a regular file")
    }
    descriptor = opened
    byteCount = part?.count ?? Int(status.st_size)
    if let part, part.lowerBound < 0 || part.upperBound > Int(status.st_size) {
      throw FileError(path: path, reason: "is truncated: bytes \(part) are needed, it has \(status.st_size)")
    }
  }

  deinit { close(descriptor) }

  /// Fills `buffer` with the bytes from `offset` on; an end of file before that is an error.
  package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    // The descriptor must not be closed before the last call returns.
    defer { withExtendedLifetime(self) {} }
    var done = 0
    while done < buffer.count {
      guard let base = buffer.baseAddress else { return }
      let count = pread(descriptor, base + done, buffer.count - done, off_t(origin + offset + done))
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw FileError(path: path, action: "cannot read the file", code: errno) }
      guard count > 0 else {
        throw FileError(path: path, reason: "is truncated: it ends at byte \(offset + done)")
      }
      done += count
    }
  }

  package func read(at offset: Int, count: Int) throws(FileError) -> [UInt8] {
    guard offset >= 0, count >= 0, offset <= byteCount, count <= byteCount - offset else {
      throw FileError(
        path: path, reason: "is truncated: bytes \(offset)..<\(offset &+ count) are needed, it has \(byteCount)")
    }
    var failure: FileError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      do throws(FileError) {
        try read(
          at: offset, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
        initialized = count
      } catch {
        failure = error
        initialized = 0
      }
    }
    if let failure { throw failure }
    return bytes
  }

  package func readAll() throws(FileError) -> [UInt8] { try read(at: 0, count: byteCount) }
}

internal import CTorch
import Glibc

/// A file that appears under its name whole or not at all.
///
/// The bytes go to a temporary file in the same folder; `commit` makes them durable and renames it over the old file.
/// Until then, and after any failure, the old file is untouched. Without `commit` the temporary file is removed.
package final class AtomicFile {
  /// What writes bytes: the operating system, or a test's full disk.
  package typealias Write = (_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int

  package let path: String
  /// The bytes that were appended.
  package var byteCount: Int { writtenCount + (blocks?.count ?? 0) }
  /// Those that the operating system has.
  private var writtenCount = 0
  /// What is on its way to the disk past the page cache; nil for a file whose bytes go through it.
  private var blocks: AlignedBuffer?
  private let temporaryPath: String
  private let folder: String
  private let writeBytes: Write
  private var descriptor: Int32
  private var failure: Int32?
  private var committed = false

  package init(
    _ path: String, writeBytes: @escaping Write = { Glibc.write($0, $1.baseAddress, $1.count) }
  ) throws(FileError) {
    self.path = path
    self.writeBytes = writeBytes
    let slash = path.lastIndex(of: "/")
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    guard !name.isEmpty, name != ".", name != ".." else {
      throw FileError(path: path, reason: "cannot be written: a path that ends in a file name is needed")
    }
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      throw FileError(path: path, reason: "cannot be written: it is a directory")
    }
    let mark = String(UInt64.random(in: 0 ... .max), radix: 36)
    temporaryPath = "\(folder)/.\(name.prefix(64)).\(getpid()).\(mark).tmp"
    descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw FileError(path: path, action: "cannot create a file in the folder \(folder)", code: errno)
    }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    if !committed { unlink(temporaryPath) }
  }

  /// Lets bytes go to the disk past the page cache, where the file system can do that: a large file is written faster, and
  /// takes no memory from others. To be called before the first `append`.
  package func writePastCache() {
    if writtenCount == 0, ct_file_set_direct(descriptor, true) { blocks = AlignedBuffer() }
  }

  /// Appends bytes; returns whether all were written. After a failure nothing more is written.
  @discardableResult
  package func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let blocks else { return write(bytes) }
    var rest = bytes
    while failure == nil, !rest.isEmpty {
      rest = blocks.take(rest)
      if blocks.isFull { flush(blocks, upTo: blocks.count) }
    }
    return failure == nil
  }

  /// Writes the first of the bytes that have been collected.
  private func flush(_ blocks: AlignedBuffer, upTo count: Int) {
    if write(blocks.prefix(count)) { blocks.drop(count) }
  }

  /// Writes whole blocks, and then what is no whole block through the page cache.
  private func flush() {
    guard let blocks, failure == nil else { return }
    flush(blocks, upTo: blocks.count / AlignedBuffer.alignment * AlignedBuffer.alignment)
    usePageCache()
    flush(blocks, upTo: blocks.count)
    self.blocks = nil
  }

  private func usePageCache() { _ = ct_file_set_direct(descriptor, false) }

  private func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var rest = bytes
    while failure == nil, !rest.isEmpty {
      // Linux writes at most 2 GiB a call; zero bytes would never come to an end.
      let count = writeBytes(descriptor, UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30)))
      if count < 0 && errno == EINTR { continue }
      if count < 0, errno == EINVAL, let blocks, !blocks.isInUse {
        // The file system has let it be asked for, and cannot do it.
        blocks.isInUse = true
        usePageCache()
        continue
      }
      guard count > 0 else {
        failure = count < 0 ? errno : EIO
        break
      }
      blocks?.isInUse = true
      writtenCount += count
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
    }
    return failure == nil
  }

  package func append(_ bytes: [UInt8]) { _ = bytes.withUnsafeBytes { append($0) } }

  /// Throws when an `append` failed. `needed` is the size that the whole file would have.
  package func check(needed: Int) throws(FileError) {
    guard let failure else { return }
    var reason = "cannot be written: \(String(cString: strerror(failure)))"
    reason += " after \(writtenCount) of about \(needed) bytes"
    var space = statvfs()
    if failure == ENOSPC, statvfs(folder, &space) == 0 {
      reason += "; \(Int(space.f_bavail) * Int(space.f_frsize) + writtenCount) bytes were free in \(folder)"
    }
    throw FileError(path: path, reason: "\(reason). A file that was there before is unchanged")
  }

  /// Makes the bytes durable and puts them in the place of the old file.
  package func commit() throws(FileError) {
    flush()
    try check(needed: byteCount)
    try perform("cannot be written to the disk") { fsync(descriptor) }
    let closing = descriptor
    descriptor = -1
    try perform("cannot be written to the disk") { close(closing) }
    try perform("cannot be replaced") { rename(temporaryPath, path) }
    committed = true
    // The new name is durable once its folder is; a file system that cannot do this has nothing to do.
    let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { return }
    defer { close(directory) }
    if fsync(directory) != 0, errno != EINVAL, errno != EROFS {
      throw FileError(path: path, action: "was written, but its folder \(folder) cannot be made durable", code: errno)
    }
  }

  private func perform(_ action: String, _ body: () -> Int32) throws(FileError) {
    guard body() == 0 else { throw FileError(path: path, action: action, code: errno) }
  }
}

internal import CTorch
import Glibc

/// A file that appears under its name whole or not at all.
///
/// The bytes go to a temporary file in the same folder; `commit` makes them durable and renames it over the old file.
/// Until then, and after any failure, the old file is untouched. Without `commit` the temporary file is removed; that of a
/// process that was killed is removed by the next one that writes a file of this name.
package final class AtomicFile {
  /// What writes bytes: the operating system, or a test's full disk.
  package typealias Write = (_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int

  package let path: String
  /// The bytes that were appended.
  package private(set) var byteCount = 0
  private let sink: FileSink
  /// What is on its way to the disk past the page cache; nil for a file whose bytes go through it.
  private var pipeline: BlockPipeline?
  /// Where the folder is whose place the file took.
  package private(set) var replacedFolder: String?
  private let temporaryPath: String
  private let folder: String
  /// What the names of temporary files for it begin with.
  private let prefix: String
  private let replacesFolder: Bool
  private var descriptor: Int32
  private var committed = false

  /// - Parameter replacesFolder: whether the file may take the place of a folder, which is then at ``replacedFolder``.
  package init(
    _ path: String, replacesFolder: Bool = false,
    writeBytes: @escaping Write = { Glibc.write($0, $1.baseAddress, $1.count) }
  ) throws(FileError) {
    FileSizeLimit.makeErrors()
    self.path = path
    self.replacesFolder = replacesFolder
    let slash = path.lastIndex(of: "/")
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    try Self.refuseDevice(path)
    folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    guard !name.isEmpty, name != ".", name != ".." else {
      throw FileError(path: path, reason: "cannot be written: a path that ends in a file name is needed")
    }
    if !replacesFolder, Self.isFolder(path) {
      throw FileError(path: path, reason: "cannot be written: it is a directory")
    }
    prefix = TemporaryFile.prefix(of: name)
    (temporaryPath, descriptor) = try TemporaryFile.create(in: folder, prefix: prefix, for: path)
    TemporaryFile.removeLeftovers(in: folder, prefix: prefix)
    sink = FileSink(descriptor, writeBytes: writeBytes)
  }

  deinit {
    // Its thread may be writing.
    pipeline = nil
    if descriptor >= 0 { close(descriptor) }
    if !committed { unlink(temporaryPath) }
  }

  /// A file would take the place of a device, such as /dev/null.
  private static func refuseDevice(_ path: String) throws(FileError) {
    var status = stat()
    guard stat(path, &status) == 0, ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) else { return }
    throw FileError(path: path, reason: "cannot be written: it is a device, pipe or socket")
  }

  /// Lets bytes go to the disk past the page cache, where the file system can do that: a large file is written faster,
  /// takes no memory from others, and is written while the program goes on. To be called before the first `append`.
  ///
  /// - Returns: false where it cannot be done.
  @discardableResult
  package func writePastCache() -> Bool {
    guard byteCount == 0, pipeline == nil, sink.writePastCache() else { return false }
    pipeline = BlockPipeline(sink)
    if pipeline == nil { sink.usePageCache() }
    return pipeline != nil
  }

  /// Appends bytes; returns false when it is known that they cannot be written. After a failure nothing more is written.
  @discardableResult
  package func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
    byteCount += bytes.count
    return pipeline?.append(bytes) ?? sink.write(bytes)
  }

  package func append(_ bytes: [UInt8]) { _ = bytes.withUnsafeBytes { append($0) } }

  /// Throws when bytes could not be written. Past the page cache that is found out some blocks later, at the latest by
  /// `commit`. `needed` is the size that the whole file would have.
  package func check(needed: Int) throws(FileError) {
    // Unless it has failed, the thread is at work on it.
    if let pipeline, !pipeline.hasFailed { return }
    guard let failure = sink.failure else { return }
    let writtenCount = sink.writtenCount
    var reason = "cannot be written: \(String(cString: strerror(failure)))"
    reason += " after \(writtenCount) of about \(needed) bytes\(FileSizeLimit.explanation(of: failure))"
    var space = statvfs()
    if failure == ENOSPC, statvfs(folder, &space) == 0 {
      reason += "; \(Int(space.f_bavail) * Int(space.f_frsize) + writtenCount) bytes were free in \(folder)"
    }
    throw FileError(path: path, reason: "\(reason). A file that was there before is unchanged")
  }

  /// Makes the bytes durable and puts them in the place of the old file.
  package func commit() throws(FileError) {
    _ = pipeline?.finish()
    pipeline = nil
    try check(needed: byteCount)
    try perform("cannot be written to the disk") { fsync(descriptor) }
    try takePlace()
    committed = true
    // Not before: its lock says that the temporary file is in use. What the system has to say of the bytes it has said.
    close(descriptor)
    descriptor = -1
    // The new name is durable once its folder is; a file system that cannot do this has nothing to do.
    let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { return }
    defer { close(directory) }
    if fsync(directory) != 0, errno != EINVAL, errno != EROFS {
      throw FileError(path: path, action: "was written, but its folder \(folder) cannot be made durable", code: errno)
    }
  }

  private func takePlace() throws(FileError) {
    guard replacesFolder, Self.isFolder(path) else {
      return try perform("cannot be replaced") { rename(temporaryPath, path) }
    }
    if Self.exchange(temporaryPath, path) {
      replacedFolder = temporaryPath
      return
    }
    // A file system without that has a moment at which neither is there.
    let aside = TemporaryFile.path(in: folder, prefix: prefix)
    try perform("cannot be replaced") { rename(path, aside) }
    replacedFolder = aside
    try perform("cannot be replaced") { rename(temporaryPath, path) }
  }

  /// Lets two files or folders take each other's place in a single step; false, and nothing has changed, where the file
  /// system cannot do that.
  package static func exchange(_ first: String, _ second: String) -> Bool { ct_file_exchange(first, second) }

  private static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  private func perform(_ action: String, _ body: () -> Int32) throws(FileError) {
    guard body() == 0 else { throw FileError(path: path, action: action, code: errno) }
  }
}

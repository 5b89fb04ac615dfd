internal import CTorch

/// Writes named records as PyTorch's zip archive.
final class RecordWriter {
  private let file: AtomicFile
  private let handle: ct_record_writer
  private let needed: Int

  /// - Parameter needed: bytes that the archive will have at least, for the message of a full disk.
  init(_ file: AtomicFile, needed: Int) throws(FileError) {
    self.file = file
    self.needed = needed
    let created = ct_record_writer_create(
      { context, bytes, count in
        guard let context, let bytes else { return 0 }
        let file = Unmanaged<AtomicFile>.fromOpaque(context).takeUnretainedValue()
        return file.append(UnsafeRawBufferPointer(start: bytes, count: count)) ? count : 0
      }, Unmanaged.passUnretained(file).toOpaque())
    guard let created else { throw Self.failure(of: file, needed: needed) }
    handle = created
  }

  deinit {
    ct_record_writer_release(handle)
    withExtendedLifetime(file) {}
  }

  func add(_ name: String, _ bytes: UnsafeRawBufferPointer) throws(FileError) {
    try perform { ct_record_writer_add(handle, name, bytes.baseAddress, bytes.count) }
  }

  func add(_ name: String, _ bytes: [UInt8]) throws(FileError) {
    try perform { bytes.withUnsafeBytes { ct_record_writer_add(handle, name, $0.baseAddress, $0.count) } }
  }

  /// Completes the archive.
  func finish() throws(FileError) {
    try perform { ct_record_writer_finish(handle) }
  }

  private func perform(_ body: () -> Bool) throws(FileError) {
    let succeeded = body()
    // The handle must not be released before the call returns.
    withExtendedLifetime(self) {}
    if !succeeded { throw Self.failure(of: file, needed: needed) }
  }

  private static func failure(of file: AtomicFile, needed: Int) -> FileError {
    defer { ct_error_clear() }
    do throws(FileError) { try file.check(needed: needed) } catch { return error }
    return FileError(path: file.path, reason: "cannot be written: \(String(cString: ct_error_message()))")
  }
}

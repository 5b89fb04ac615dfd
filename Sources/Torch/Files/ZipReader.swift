internal import CTorch

/// Reads the records of a zip archive, as PyTorch and ordinary tools write them, and verifies their checksums.
///
/// libtorch's own reader is not used because it was built without checksum verification: it returns damaged tensors.
/// Format: PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.14 to 4.3.16.
final class ZipReader {
  struct Entry {
    let name: String
    let method: UInt16
    let isEncrypted: Bool
    /// CRC-32 of the record; 0 when the writer did not compute it (`torch.serialization.set_crc32_options(False)`).
    let checksum: UInt32
    let storedCount: Int
    let count: Int
    let headerOffset: Int
  }

  let file: InputFile
  private(set) var entries: [String: Entry] = [:]
  private let directoryOffset: Int

  init(_ file: InputFile) throws(FileError) {
    self.file = file
    let directory = try Self.locateDirectory(of: file)
    directoryOffset = directory.offset
    let bytes = try file.read(at: directory.offset, count: directory.byteCount)
    var position = 0
    for _ in 0..<directory.entryCount {
      guard let entry = Self.entry(in: bytes, at: &position) else {
        throw FileError(path: file.path, reason: "is damaged: its archive directory is malformed")
      }
      if entries[entry.name] == nil { entries[entry.name] = entry }
    }
  }

  /// The whole record, decompressed.
  func bytes(of entry: Entry) throws(FileError) -> [UInt8] {
    try checkSize(of: entry)
    var failure: FileError?
    let bytes = [UInt8](unsafeUninitializedCapacity: entry.count) { buffer, initialized in
      do throws(FileError) {
        try read(
          entry, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<entry.count]))
        initialized = entry.count
      } catch {
        failure = error
        initialized = 0
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Reads a record into `buffer`, which must have its size.
  func read(_ entry: Entry, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try checkSize(of: entry)
    precondition(buffer.count == entry.count)
    let start = try dataOffset(of: entry)
    if entry.method == 0 {
      try file.read(at: start, into: buffer)
    } else {
      let compressed = try file.read(at: start, count: entry.storedCount)
      let base = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
      guard compressed.withUnsafeBufferPointer({ ct_inflate($0.baseAddress, $0.count, base, entry.count) }) else {
        throw damaged(entry, "its compressed data is malformed")
      }
    }
    guard entry.checksum == 0 || ct_crc32(0, buffer.baseAddress, buffer.count) == entry.checksum else {
      throw damaged(entry, "its checksum does not match")
    }
  }

  /// Where the bytes of a record begin in the file; nil when it is compressed.
  func plainOffset(of entry: Entry) throws(FileError) -> Int? {
    try checkSize(of: entry)
    return entry.method == 0 ? try dataOffset(of: entry) : nil
  }

  /// Compares the checksum of a record with its bytes, of which only a piece is in memory at a time.
  func verify(_ entry: Entry) throws(FileError) {
    guard entry.method == 0, !entry.isEncrypted else {
      _ = try bytes(of: entry)
      return
    }
    try checkSize(of: entry)
    let start = try dataOffset(of: entry)
    guard entry.checksum != 0 else { return }
    var checksum: UInt32 = 0
    var done = 0
    while done < entry.count {
      let piece = try file.read(at: start + done, count: min(entry.count - done, 1 << 20))
      checksum = piece.withUnsafeBytes { ct_crc32(checksum, $0.baseAddress, $0.count) }
      done += piece.count
    }
    guard checksum == entry.checksum else { throw damaged(entry, "its checksum does not match") }
  }

  /// Refuses sizes that the file cannot hold, before memory is taken for them.
  private func checkSize(of entry: Entry) throws(FileError) {
    guard !entry.isEncrypted, entry.method == 0 || entry.method == 8 else {
      throw FileError(path: file.path, reason: "record '\(entry.name)' is encrypted or compressed in an unknown way")
    }
    // Deflate cannot shrink by more than 1032.
    let limit =
      entry.method == 0 ? entry.storedCount : entry.storedCount.multipliedReportingOverflow(by: 1032).partialValue
    guard entry.storedCount <= file.byteCount, entry.method == 8 ? entry.count <= limit : entry.count == limit else {
      throw damaged(entry, "its size of \(entry.count) bytes is impossible")
    }
  }

  private func dataOffset(of entry: Entry) throws(FileError) -> Int {
    let header = try file.read(at: entry.headerOffset, count: 30)
    guard header.integer(UInt32.self, at: 0) == 0x0403_4B50,
      let nameCount = header.integer(UInt16.self, at: 26), let extraCount = header.integer(UInt16.self, at: 28)
    else { throw damaged(entry, "its header is malformed") }
    let start = entry.headerOffset + 30 + Int(nameCount) + Int(extraCount)
    guard start <= directoryOffset, entry.storedCount <= directoryOffset - start else {
      throw damaged(entry, "it does not lie within the file")
    }
    return start
  }

  private func damaged(_ entry: Entry, _ what: String) -> FileError {
    FileError(path: file.path, reason: "is damaged in record '\(entry.name)': \(what)")
  }
}

extension ZipReader {
  private static let zip64Marker16 = Int(UInt16.max)
  private static let zip64Marker32 = Int(UInt32.max)

  private struct Directory {
    var offset: Int
    var byteCount: Int
    var entryCount: Int
  }

  private static func locateDirectory(of file: InputFile) throws(FileError) -> Directory {
    let tailCount = min(file.byteCount, 22 + Int(UInt16.max))
    let tailOffset = file.byteCount - tailCount
    let tail = try file.read(at: tailOffset, count: tailCount)
    guard let end = endRecord(in: tail),
      let entryCount = tail.integer(UInt16.self, at: end + 10),
      let byteCount = tail.integer(UInt32.self, at: end + 12),
      let offset = tail.integer(UInt32.self, at: end + 16)
    else { throw FileError(path: file.path, reason: "is truncated or damaged: the end of the zip archive is missing") }
    var directory = Directory(offset: Int(offset), byteCount: Int(byteCount), entryCount: Int(entryCount))
    if tail.integer(UInt32.self, at: end - 20) == 0x0706_4B50 {
      guard let position = tail.integer(UInt64.self, at: end - 12).flatMap({ Int(exactly: $0) }),
        let wide = try wideDirectory(of: file, at: position)
      else { throw FileError(path: file.path, reason: "is damaged: its archive directory is malformed") }
      if directory.entryCount == zip64Marker16 { directory.entryCount = wide.entryCount }
      if directory.byteCount == zip64Marker32 { directory.byteCount = wide.byteCount }
      if directory.offset == zip64Marker32 { directory.offset = wide.offset }
    }
    guard directory.offset <= file.byteCount, directory.byteCount <= file.byteCount - directory.offset,
      directory.entryCount <= directory.byteCount / 46
    else { throw FileError(path: file.path, reason: "is damaged: its archive directory does not lie within the file") }
    return directory
  }

  /// Position of the end record: the last one whose comment reaches exactly to the end of the file.
  private static func endRecord(in tail: [UInt8]) -> Int? {
    var position = tail.count - 22
    while position >= 0 {
      if tail[position] == 0x50, tail.integer(UInt32.self, at: position) == 0x0605_4B50,
        let comment = tail.integer(UInt16.self, at: position + 20), position + 22 + Int(comment) == tail.count
      {
        return position
      }
      position -= 1
    }
    return nil
  }

  /// The end record of a zip64 archive; `nil` when it is malformed.
  private static func wideDirectory(of file: InputFile, at position: Int) throws(FileError) -> Directory? {
    guard file.byteCount >= 56, position <= file.byteCount - 56 else { return nil }
    let record = try file.read(at: position, count: 56)
    guard record.integer(UInt32.self, at: 0) == 0x0606_4B50,
      let entryCount = record.integer(UInt64.self, at: 32).flatMap({ Int(exactly: $0) }),
      let byteCount = record.integer(UInt64.self, at: 40).flatMap({ Int(exactly: $0) }),
      let offset = record.integer(UInt64.self, at: 48).flatMap({ Int(exactly: $0) })
    else { return nil }
    return Directory(offset: offset, byteCount: byteCount, entryCount: entryCount)
  }

  /// Reads the directory entry at `position` and moves behind it; `nil` when it is malformed.
  private static func entry(in bytes: [UInt8], at position: inout Int) -> Entry? {
    let start = position
    guard bytes.integer(UInt32.self, at: start) == 0x0201_4B50,
      let flags = bytes.integer(UInt16.self, at: start + 8),
      let method = bytes.integer(UInt16.self, at: start + 10),
      let checksum = bytes.integer(UInt32.self, at: start + 16),
      let storedCount32 = bytes.integer(UInt32.self, at: start + 20),
      let count32 = bytes.integer(UInt32.self, at: start + 24),
      let nameCount = bytes.integer(UInt16.self, at: start + 28),
      let extraCount = bytes.integer(UInt16.self, at: start + 30),
      let commentCount = bytes.integer(UInt16.self, at: start + 32),
      let headerOffset32 = bytes.integer(UInt32.self, at: start + 42)
    else { return nil }
    let nameStart = start + 46
    let extraStart = nameStart + Int(nameCount)
    let extraEnd = extraStart + Int(extraCount)
    position = extraEnd + Int(commentCount)
    guard position <= bytes.count, let name = String(validating: bytes[nameStart..<extraStart], as: UTF8.self) else {
      return nil
    }
    var wide = wideFields(in: bytes, from: extraStart, to: extraEnd)
    func widened(_ value: UInt32) -> Int? { value == .max && !wide.isEmpty ? wide.removeFirst() : Int(value) }
    guard let count = widened(count32), let storedCount = widened(storedCount32),
      let headerOffset = widened(headerOffset32)
    else { return nil }
    return Entry(
      name: name, method: method, isEncrypted: flags & 1 != 0, checksum: checksum, storedCount: storedCount,
      count: count, headerOffset: headerOffset)
  }

  /// The 64-bit fields of a directory entry's zip64 extra field, in order; `nil` for a number beyond `Int`.
  private static func wideFields(in bytes: [UInt8], from start: Int, to end: Int) -> ArraySlice<Int?> {
    var position = start
    while position + 4 <= end, let tag = bytes.integer(UInt16.self, at: position),
      let count = bytes.integer(UInt16.self, at: position + 2)
    {
      let fieldEnd = position + 4 + Int(count)
      if tag == 1, fieldEnd <= end {
        let offsets = stride(from: position + 4, to: fieldEnd - 7, by: 8)
        return offsets.map { bytes.integer(UInt64.self, at: $0).flatMap { Int(exactly: $0) } }[...]
      }
      position = fieldEnd
    }
    return []
  }
}

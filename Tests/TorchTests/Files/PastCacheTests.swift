import Foundation
import Testing
import Torch

/// Files whose blocks a thread writes.
@Suite("Files that go past the page cache")
struct PastCacheTests {
  /// The bytes that are written at a time.
  static let block = 2 << 20

  let folder: TemporaryFolder
  let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = folder.file("large")
  }

  /// Whether the file system of temporary files can do it.
  static let isPossible: Bool = {
    guard let folder = try? TemporaryFolder(), let file = try? AtomicFile(folder.file("a")) else { return false }
    return file.writePastCache()
  }()

  /// Bytes of which no two blocks or pages are the same.
  private static let pattern = [UInt8](unsafeUninitializedCapacity: 20_000_003) { buffer, initialized in
    for index in 0..<buffer.count { buffer[index] = UInt8(truncatingIfNeeded: index &* 31 &+ (index >> 12) &* 7) }
    initialized = buffer.count
  }

  private func pattern(_ count: Int) -> [UInt8] { Array(Self.pattern[..<count]) }

  private func file(_ write: AtomicFile.Write? = nil) throws -> AtomicFile {
    let file = try write.map { try AtomicFile(path, writeBytes: $0) } ?? AtomicFile(path)
    file.writePastCache()
    return file
  }

  /// Appends bytes in pieces of all sizes.
  private func append(_ bytes: [UInt8], to file: AtomicFile) {
    var start = 0
    var length = 1
    while start < bytes.count {
      let end = min(bytes.count, start + length)
      file.append(Array(bytes[start..<end]))
      #expect(file.byteCount == end)
      (start, length) = (end, length * 3 + 5)
    }
  }

  @Test(
    "Sizes around pages and blocks",
    arguments: [
      0, 1, 4095, 4096, 4097, block - 1, block, block + 1, block + 4096, 4 * block - 1, 4 * block, 4 * block + 1,
      5 * block + 12345, 20_000_003,
    ])
  func sizes(_ count: Int) throws {
    let expected = pattern(count)
    let file = try file()
    append(expected, to: file)
    try file.commit()
    #expect(try contents(of: path) == expected)
    #expect(try folder.names == ["large"])
  }

  @Test("Interrupted writes, and those of a part, are continued in order")
  func interruptions() throws {
    let expected = pattern(3 * Self.block + 777)
    let calls = Calls()
    let file = try file { descriptor, bytes in
      switch calls.next() % 3 {
      case 0:
        errno = EINTR
        return -1
      case 1: return write(descriptor, bytes.baseAddress, min(bytes.count, 300 << 10))
      // Later on less than a page, after which only the page cache takes more.
      default: return write(descriptor, bytes.baseAddress, min(bytes.count, calls.count > 9 ? 200_100 : 64 << 10))
      }
    }
    append(expected, to: file)
    try file.commit()
    #expect(try contents(of: path) == expected)
    #expect(calls.count > 12)
  }

  @Test("Bytes are taken while others are being written", .enabled(if: isPossible))
  func overlap() throws {
    let expected = pattern(3 * Self.block + 5)
    let gate = DispatchSemaphore(value: 0)
    let calls = Calls()
    let file = try file { descriptor, bytes in
      // The first block is written only when the others have been appended.
      if calls.next() == 1 { #expect(gate.wait(timeout: .now() + 60) == .success, "append waits for the disk") }
      return write(descriptor, bytes.baseAddress, bytes.count)
    }
    append(expected, to: file)
    gate.signal()
    try file.commit()
    #expect(try contents(of: path) == expected)
  }

  @Test("No more than a few blocks are in memory", .enabled(if: isPossible))
  func bounded() throws {
    let gate = DispatchSemaphore(value: 0)
    let appended = Calls()
    let file = try file { descriptor, bytes in
      gate.wait()
      return write(descriptor, bytes.baseAddress, bytes.count)
    }
    let ended = DispatchSemaphore(value: 0)
    let piece = pattern(Self.block)
    Thread.detachNewThread { [file = Unchecked(file)] in
      for _ in 0..<10 {
        file.value.append(piece)
        _ = appended.next()
      }
      ended.signal()
    }
    while appended.count < 4 { usleep(1000) }
    // There is nothing to wait for: it must not go on.
    usleep(50_000)
    #expect(appended.count == 4)
    for _ in 0..<10 { gate.signal() }
    ended.wait()
    try file.commit()
    #expect(try contents(of: path).count == 10 * Self.block)
  }

  @Test(
    "A disk that is full is reported with the bytes that it took, and never written to again",
    arguments: [0, 4096, block / 2, block, 3 * block - 4096, 5 * block])
  func fullDisk(after limit: Int) throws {
    let old = try folder.write([1, 2, 3], "large")
    let calls = Calls()
    var room = limit
    let file = try file { descriptor, bytes in
      guard room > 0 else {
        _ = calls.next()
        errno = ENOSPC
        return -1
      }
      let count = write(descriptor, bytes.baseAddress, min(bytes.count, room))
      room -= max(count, 0)
      return count
    }
    append(pattern(6 * Self.block + 1), to: file)
    let found = reason { () throws(FileError) in try file.commit() }
    let text = try #require(found)
    let start =
      "cannot be written: No space left on device after \(limit) of about \(6 * Self.block + 1) bytes; "
    #expect(text.hasPrefix(start), "\(text)")
    #expect(text.hasSuffix(" bytes were free in \(folder.path). A file that was there before is unchanged"), "\(text)")
    #expect(calls.count == 1)
    #expect(try contents(of: old) == [1, 2, 3])
  }

  @Test("A failure is thrown by the next look, before all bytes are given")
  func failureIsSeenEarly() throws {
    let file = try file { _, _ in
      errno = EDQUOT
      return -1
    }
    let piece = pattern(Self.block)
    // The fifth block needs the place of the first.
    for _ in 0..<5 { file.append(piece) }
    #expect(!piece.withUnsafeBytes { file.append($0) })
    let found = reason { () throws(FileError) in try file.check(needed: 99) }
    #expect(found?.hasPrefix("cannot be written: Disk quota exceeded after 0 of about 99 bytes. A file that ") == true)
  }

  @Test("What is given up while it is being written is removed")
  func abandoned() throws {
    let started = DispatchSemaphore(value: 0)
    do {
      let file = try file { descriptor, bytes in
        started.signal()
        usleep(20_000)
        return write(descriptor, bytes.baseAddress, bytes.count)
      }
      for _ in 0..<4 { file.append(pattern(Self.block)) }
      started.wait()
    }
    #expect(try folder.names.isEmpty)
  }

  @Test("A file system that lets it be asked for and cannot do it")
  func refusal() throws {
    let expected = pattern(Self.block + 100)
    let calls = Calls()
    let file = try file { descriptor, bytes in
      if calls.next() == 1 {
        errno = EINVAL
        return -1
      }
      return write(descriptor, bytes.baseAddress, bytes.count)
    }
    append(expected, to: file)
    try file.commit()
    #expect(try contents(of: path) == expected)
  }

  @Test("A large safetensors file: odd sizes, bytes, places and checksums")
  func tensors() throws {
    let sizes = [0, 1, 3, 4096, 4099, Self.block - 1, Self.block, Self.block + 1, 0, 12345]
    var tensors: StateDictionary = ["large": Tensor.randn([8_400_001])]
    for (number, size) in sizes.enumerated() { tensors["t\(number)"] = Tensor(pattern(size)) }
    let entries = tensors.map { SafetensorsWriter.Entry(name: $0.key, dtype: $0.value.dtype, shape: $0.value.shape) }
    let writer = try SafetensorsWriter(AtomicFile(path), entries)
    for entry in writer.entries { try writer.append(#require(tensors[entry.name])) }
    try writer.finish()
    let file = try InputFile(path)
    #expect(file.byteCount == writer.byteCount)
    for (entry, offset) in zip(writer.entries, writer.offsets) {
      let bytes = try file.read(at: offset, count: entry.byteCount)
      let isSame = try #require(tensors[entry.name]).withUnsafeBytes { wanted in
        wanted.count == bytes.count && (bytes.isEmpty || memcmp(wanted.baseAddress!, bytes, bytes.count) == 0)
      }
      #expect(isSame, "\(entry.name) of \(entry.byteCount) bytes")
    }
    let checksums = try stride(from: 0, to: file.byteCount, by: writer.blockByteCount).map {
      try file.read(at: $0, count: min(writer.blockByteCount, file.byteCount - $0))
        .withUnsafeBytes { BlockChecksums.checksum(of: $0) }
    }
    #expect(writer.checksums == checksums)
    #expect(try Safetensors.load(path).count == tensors.count)
  }

  @Test("A large safetensors file on a full disk", arguments: [33 << 20, 40 << 20])
  func tensorsOnFullDisk(after limit: Int) throws {
    let file = try AtomicFile(path, writeBytes: writing(upTo: limit))
    let entries = [SafetensorsWriter.Entry(name: "a", dtype: .uint8, shape: [41 << 20])]
    let found = reason { () throws(FileError) in
      let writer = try SafetensorsWriter(file, entries)
      try writer.append(Tensor.zeros([41 << 20], dtype: .uint8))
      try writer.finish()
    }
    #expect(found?.hasPrefix("cannot be written: No space left on device after \(limit) of about ") == true)
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}

/// A number that threads count up.
private final class Calls: @unchecked Sendable {
  private let lock = NSLock()
  private var value = 0

  var count: Int { lock.withLock { value } }

  func next() -> Int {
    lock.withLock {
      value += 1
      return value
    }
  }
}

private struct Unchecked<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}

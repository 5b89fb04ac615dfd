internal import Glibc

/// Bytes that are collected until there are enough of them to be written past the page cache, which wants whole blocks at
/// aligned addresses.
final class AlignedBuffer {
  static let alignment = 4096
  private static let capacity = 8 << 20

  private let memory = UnsafeMutableRawBufferPointer.allocate(
    byteCount: AlignedBuffer.capacity, alignment: AlignedBuffer.alignment)
  private(set) var count = 0
  /// Whether bytes were written, or could not be written, this way.
  var isInUse = false

  deinit { memory.deallocate() }

  var isFull: Bool { count == Self.capacity }

  /// Copies as many bytes as there is room for; returns the rest.
  func take(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let taken = min(bytes.count, Self.capacity - count)
    guard let start = memory.baseAddress, let source = bytes.baseAddress, taken > 0 else { return bytes }
    memcpy(start + count, source, taken)
    count += taken
    return UnsafeRawBufferPointer(rebasing: bytes.dropFirst(taken))
  }

  func prefix(_ length: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<length]) }

  /// Forgets the first bytes.
  func drop(_ length: Int) {
    guard let start = memory.baseAddress, length > 0 else { return }
    memmove(start, start + length, count - length)
    count -= length
  }
}

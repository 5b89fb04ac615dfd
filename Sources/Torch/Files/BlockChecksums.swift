internal import CTorch

/// CRC-32C of each block of a stream of bytes, so that a reader of some of the bytes verifies only their blocks.
package struct BlockChecksums {
  package let blockByteCount: Int
  /// One for each block that is full.
  private var finished: [UInt32] = []
  private var current: UInt32 = 0
  private var pending = 0

  /// - Parameter blockByteCount: bytes of a block; the last one may have fewer.
  package init(blockByteCount: Int) { self.blockByteCount = blockByteCount }

  /// The checksums of all blocks so far.
  package var values: [UInt32] { pending > 0 ? finished + [current] : finished }

  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    var rest = bytes
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(blockByteCount - pending))
      current = Self.checksum(of: piece, continuing: current)
      pending += piece.count
      if pending == blockByteCount {
        finished.append(current)
        current = 0
        pending = 0
      }
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(piece.count))
    }
  }

  /// CRC-32C, by the processor's instructions where it has them.
  package static func checksum(of bytes: UnsafeRawBufferPointer, continuing checksum: UInt32 = 0) -> UInt32 {
    ct_crc32c(checksum, bytes.baseAddress, bytes.count)
  }

  /// CRC-32C without these instructions, to test them by.
  package static func portableChecksum(of bytes: UnsafeRawBufferPointer) -> UInt32 {
    ct_crc32c_portable(0, bytes.baseAddress, bytes.count)
  }

  /// The size of a block for a file of so many bytes: 1 MiB, and more for files beyond 64 GiB.
  package static func blockByteCount(for byteCount: Int) -> Int {
    var size = 1 << 20
    while byteCount / size > 1 << 16 { size *= 2 }
    return size
  }
}

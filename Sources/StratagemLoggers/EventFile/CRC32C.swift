/// The cyclic redundancy check of RFC 3720 (Castagnoli), which guards the records of event files.
enum CRC32C {
  /// Eight tables of 256 remainders: the k-th is that of a byte followed by k zero bytes.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var remainder = UInt32(byte)
      for _ in 0..<8 { remainder = remainder & 1 == 1 ? remainder >> 1 ^ 0x82F6_3B78 : remainder >> 1 }
      tables[byte] = remainder
    }
    for index in 256..<tables.count {
      let previous = tables[index - 256]
      tables[index] = previous >> 8 ^ tables[Int(previous & 0xFF)]
    }
    return tables
  }()

  /// Returns the checksum of some bytes, eight of them at a time.
  static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    tables.withUnsafeBufferPointer { tables in
      var remainder = UInt32.max
      var index = 0
      while index + 8 <= bytes.count {
        let word =
          UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ UInt64(remainder)
        remainder = 0
        for place in 0..<8 {
          remainder ^= tables[(7 - place) << 8 + Int(truncatingIfNeeded: word >> UInt64(8 * place) & 0xFF)]
        }
        index += 8
      }
      while index < bytes.count {
        remainder = remainder >> 8 ^ tables[Int((remainder ^ UInt32(bytes[index])) & 0xFF)]
        index += 1
      }
      return ~remainder
    }
  }

  /// Returns the checksum in the form that is stored next to the data it belongs to.
  static func masked(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    let checksum = checksum(bytes)
    return (checksum >> 15 | checksum << 17) &+ 0xA282_EAD8
  }
}

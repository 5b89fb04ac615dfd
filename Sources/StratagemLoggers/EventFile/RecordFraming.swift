/// The records of event files (the TFRecord format): length as 8 bytes, its checksum as 4, the data, their checksum
/// as 4, all little-endian.
enum RecordFraming {
  private static let headerLength = 12
  private static let trailerLength = 4

  /// Appends a record whose data `body` appends.
  static func append(to bytes: inout [UInt8], _ body: (inout [UInt8]) -> Void) {
    let start = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: headerLength))
    body(&bytes)
    let count = bytes.count - start - headerLength
    bytes.append(contentsOf: repeatElement(0, count: trailerLength))
    bytes.withUnsafeMutableBytes { bytes in
      bytes.storeBytes(of: UInt64(count).littleEndian, toByteOffset: start, as: UInt64.self)
      let length = UnsafeRawBufferPointer(rebasing: bytes[start..<start + 8])
      bytes.storeBytes(of: CRC32C.masked(length).littleEndian, toByteOffset: start + 8, as: UInt32.self)
      let data = UnsafeRawBufferPointer(rebasing: bytes[start + headerLength..<start + headerLength + count])
      bytes.storeBytes(
        of: CRC32C.masked(data).littleEndian, toByteOffset: start + headerLength + count, as: UInt32.self)
    }
  }

  /// Returns the length of the whole records at the beginning of some bytes.
  static func wholeLength(_ bytes: ArraySlice<UInt8>) -> Int {
    bytes.withUnsafeBytes { bytes in
      var end = 0
      while end + headerLength + trailerLength <= bytes.count {
        let count = Int(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt64.self)))
        guard count <= bytes.count - end - headerLength - trailerLength else { break }
        end += headerLength + count + trailerLength
      }
      return end
    }
  }
}

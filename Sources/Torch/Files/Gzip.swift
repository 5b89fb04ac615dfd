internal import CTorch

/// Decompression of gzip data (RFC 1952).
public enum Gzip {
  /// Decompresses a whole gzip file in memory, of one or more members, and verifies its checksums.
  public static func decompress(_ bytes: [UInt8]) throws(FileError) -> [UInt8] { try decompress(bytes, path: "") }

  /// Reads and decompresses a gzip file, and verifies its checksums.
  public static func decompress(contentsOf path: String) throws(FileError) -> [UInt8] {
    try decompress(InputFile(path).readAll(), path: path)
  }

  private static func decompress(_ bytes: [UInt8], path: String) throws(FileError) -> [UInt8] {
    var count = 0
    guard let result = bytes.withUnsafeBufferPointer({ ct_gunzip($0.baseAddress, $0.count, &count) }) else {
      defer { ct_error_clear() }
      throw FileError(path: path, reason: String(cString: ct_error_message()))
    }
    defer { ct_bytes_release(result) }
    return Array(UnsafeBufferPointer(start: result, count: count))
  }
}

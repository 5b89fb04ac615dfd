import Testing
import Torch

@Suite("CRC-32C of blocks")
struct BlockChecksumTests {
  /// RFC 3720, appendix B.4.
  @Test(
    "The values of the standard",
    arguments: [
      ([UInt8](repeating: 0, count: 32), 0x8A91_36AA), ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
      (Array(0..<32), 0x46DD_794E), (Array("123456789".utf8), 0xE306_9283), ([], 0),
    ] as [([UInt8], UInt32)])
  func standard(bytes: [UInt8], expected: UInt32) {
    bytes.withUnsafeBytes {
      #expect(BlockChecksums.checksum(of: $0) == expected)
      #expect(BlockChecksums.portableChecksum(of: $0) == expected)
    }
  }

  @Test("However the bytes arrive, blocks have the same checksums", arguments: [1, 7, 64, 100, 1000])
  func blocks(piece: Int) {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var blocks = BlockChecksums(blockByteCount: 64)
    bytes.withUnsafeBytes { all in
      for start in stride(from: 0, to: all.count, by: piece) {
        blocks.update(UnsafeRawBufferPointer(rebasing: all[start..<min(start + piece, all.count)]))
      }
      let expected = stride(from: 0, to: 1000, by: 64).map {
        BlockChecksums.portableChecksum(of: UnsafeRawBufferPointer(rebasing: all[$0..<min($0 + 64, 1000)]))
      }
      #expect(blocks.values == expected)
    }
    #expect(BlockChecksums.blockByteCount(for: 1 << 30) == 1 << 20)
    #expect(BlockChecksums.blockByteCount(for: 1 << 38) == 1 << 22)
  }
}

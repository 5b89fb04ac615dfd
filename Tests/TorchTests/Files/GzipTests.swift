import Foundation
import Testing
import Torch

@Suite struct GzipTests {
  /// `printf 'hello hello hello hello\n' | gzip -9n`
  static let hello: [UInt8] = [
    0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x57, 0xC8, 0x40, 0x27,
    0xB9, 0x00, 0x00, 0x88, 0x59, 0x0B, 0x18, 0x00, 0x00, 0x00,
  ]
  static let text = Array("hello hello hello hello\n".utf8)

  @Test func memberIsDecompressed() throws { #expect(try Gzip.decompress(Self.hello) == Self.text) }

  @Test func membersFollowEachOther() throws {
    #expect(try Gzip.decompress(Self.hello + Self.hello) == Self.text + Self.text)
  }

  @Test func optionalHeaderFieldsAreSkipped() throws {
    var bytes = Self.hello
    bytes[3] = 2 | 4 | 8 | 16
    let fields: [UInt8] = [3, 0, 1, 2, 3] + Array("name\0".utf8) + Array("comment\0".utf8) + [0, 0]
    bytes.insert(contentsOf: fields, at: 10)
    #expect(try Gzip.decompress(bytes) == Self.text)
    for length in 1..<10 + fields.count {
      #expect(reason { () throws(FileError) in _ = try Gzip.decompress(Array(bytes.prefix(length))) } != nil)
    }
  }

  @Test func truncationIsNoticedAtEveryLength() throws {
    for length in 0..<Self.hello.count {
      let found = reason { () throws(FileError) in _ = try Gzip.decompress(Array(Self.hello.prefix(length))) }
      #expect(found?.contains("truncated") == true, "\(length): \(found ?? "decompressed")")
    }
  }

  @Test func everyFlippedBitOfTheContentIsNoticed() throws {
    for position in 10..<Self.hello.count {
      for bit in 0..<8 {
        var bytes = Self.hello
        bytes[position] ^= UInt8(1 << bit)
        let result = try? Gzip.decompress(bytes)
        #expect(result == nil || result == Self.text, "byte \(position), bit \(bit)")
      }
    }
  }

  @Test func otherDataIsRefused() throws {
    func refusal(_ bytes: [UInt8]) -> String? { reason { () throws(FileError) in _ = try Gzip.decompress(bytes) } }
    #expect(refusal(Array("pixel_0,pixel_1\n".utf8)) == "not gzip data")
    #expect(refusal(Self.hello + [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) == "unexpected bytes after the gzip data")
    var method = Self.hello
    method[2] = 7
    #expect(refusal(method) == "the gzip data uses an unknown compression method")
  }

  @Test func fileErrorsNameTheFile() throws {
    let folder = try TemporaryFolder()
    #expect(try Gzip.decompress(contentsOf: folder.write(Self.hello, "a.gz")) == Self.text)
    let path = try folder.write([1, 2, 3], "b.gz")
    do throws(FileError) {
      _ = try Gzip.decompress(contentsOf: path)
      Issue.record("nothing was thrown")
    } catch {
      #expect(error.path == path)
    }
  }
}

import Foundation
import Stratagem
import Testing

@testable import StratagemLoggers

@Suite("What event files are made of")
struct EncodingTests {
  private func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { CRC32C.checksum($0) } }

  @Test("CRC-32C: the vectors of RFC 3720")
  func vectors() {
    #expect(checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(checksum([]) == 0)
    #expect(checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(checksum((0..<32).map { UInt8($0) }) == 0x46DD_794E)
    #expect(checksum((0..<32).map { UInt8(31 - $0) }) == 0x113F_DB5C)
  }

  @Test("Eight bytes at a time and one at a time agree, for every length")
  func lengths() {
    let bytes = (0..<80).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ 41) }
    for count in 0...80 {
      var remainder = UInt32.max
      for byte in bytes[..<count] {
        remainder ^= UInt32(byte)
        for _ in 0..<8 { remainder = remainder & 1 == 1 ? remainder >> 1 ^ 0x82F6_3B78 : remainder >> 1 }
      }
      #expect(checksum(Array(bytes[..<count])) == ~remainder)
    }
  }

  @Test("Varints", arguments: [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (Int.max, 9)])
  func varints(value: Int, length: Int) throws {
    let message = ProtobufMessage { $0.add(1, varint: value) }
    #expect(message.bytes.count == 1 + length)
    #expect(ProtobufMessage.length(value) == length)
    #expect(try ProtobufFields(message.bytes).int(1) == value)
  }

  @Test func negativeStepsAreTenBytes() throws {
    let message = ProtobufMessage { $0.add(2, varint: -3) }
    #expect(message.bytes.count == 11)
    #expect(try ProtobufFields(message.bytes).int(2) == -3)
  }

  @Test(
    "The lengths of a row are those of its parts, whatever the length of the tags",
    arguments: [1, 100, 121, 200, 20_000])
  func rows(length: Int) throws {
    let name = String(repeating: "a", count: length)
    var bytes: [UInt8] = []
    RecordFraming.append(to: &bytes) {
      EventMessage.append(
        LoggedRow(epoch: 3, step: 300, values: [(name, .float(0.1)), ("größe", .double(.nan))], time: 12.5), to: &$0)
    }
    let contents = try EventFileContents(bytes)
    #expect(contents.events.map { $0.double(1) } == [12.5])
    #expect(try contents.scalars(name).map(\.value) == [0.1])
    #expect(try contents.scalars(name).map(\.step) == [300])
    #expect(try contents.scalars("größe").map(\.value.isNaN) == [true])
    #expect(try contents.scalars("epoch").map(\.value) == [3])
  }

  @Test("Where the whole records of a cut file end")
  func wholeRecords() {
    var bytes: [UInt8] = []
    var ends = [0]
    for count in [0, 1, 300] {
      RecordFraming.append(to: &bytes) { $0.append(contentsOf: repeatElement(7, count: count)) }
      ends.append(bytes.count)
    }
    for count in 0...bytes.count {
      #expect(RecordFraming.wholeLength(bytes[..<count]) == ends.last { $0 <= count })
    }
  }

  @Test("A write that fails keeps what was not written, from the beginning of a record")
  func failingWrite() throws {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    defer { close(ends[0]) }
    #expect(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0)
    var file = AppendedFile(path: "a pipe", descriptor: ends[1])
    for _ in 0..<1000 { RecordFraming.append(to: &file.buffer) { $0.append(contentsOf: repeatElement(7, count: 300)) } }
    let all = file.buffer
    let error = #expect(throws: LogFileError.self) { try file.flush(RecordFraming.wholeLength) }
    #expect(error?.path == "a pipe")
    #expect(error?.code == EAGAIN)
    #expect(file.buffer.count < all.count)
    #expect(file.buffer.count % 316 == 0)
    #expect(file.buffer == Array(all.suffix(file.buffer.count)))
    #expect(throws: LogFileError.self) { try file.close(RecordFraming.wholeLength) }
  }
}

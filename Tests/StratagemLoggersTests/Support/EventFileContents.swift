import Testing

@testable import StratagemLoggers

/// The events of a file, with every length and checksum checked.
struct EventFileContents {
  let events: [ProtobufFields]

  init(_ bytes: [UInt8]) throws {
    var events: [ProtobufFields] = []
    var start = 0
    while start < bytes.count {
      let length = Int(Self.number(bytes[start..<start + 8]))
      #expect(Self.number(bytes[start + 8..<start + 12]) == Self.masked(bytes[start..<start + 8]))
      let data = bytes[start + 12..<start + 12 + length]
      #expect(Self.number(bytes[data.endIndex..<data.endIndex + 4]) == Self.masked(data))
      events.append(try ProtobufFields(Array(data)))
      start = data.endIndex + 4
    }
    self.events = events
  }

  /// Step and value of each scalar of a tag.
  func scalars(_ tag: String) throws -> [(step: Int, value: Float)] {
    try events.flatMap { event in
      try event.messages(5).flatMap { try $0.messages(1) }.compactMap { value in
        value.text(1) == tag ? value.float(2).map { (step: event.int(2) ?? -1, value: $0) } : nil
      }
    }
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private static func masked(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    UInt64(bytes.withUnsafeBytes { CRC32C.masked($0) })
  }
}

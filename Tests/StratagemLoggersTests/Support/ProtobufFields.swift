/// The fields of a message, read back from the wire format.
struct ProtobufFields {
  enum Value: Equatable {
    case varint(UInt64)
    case fixed64(UInt64)
    case fixed32(UInt32)
    case bytes([UInt8])
  }

  struct Malformed: Error {}

  private let fields: [(number: Int, value: Value)]

  init(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    var fields: [(number: Int, value: Value)] = []
    while !rest.isEmpty {
      let key = try Self.varint(&rest)
      let value: Value
      switch key & 7 {
      case 0: value = .varint(try Self.varint(&rest))
      case 1: value = .fixed64(try Self.fixed(&rest, 8))
      case 2:
        let count = Int(try Self.varint(&rest))
        guard count <= rest.count else { throw Malformed() }
        value = .bytes(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
      case 5: value = .fixed32(UInt32(try Self.fixed(&rest, 4)))
      default: throw Malformed()
      }
      fields.append((number: Int(key >> 3), value: value))
    }
    self.fields = fields
  }

  private static func varint(_ rest: inout ArraySlice<UInt8>) throws -> UInt64 {
    var (value, shift) = (UInt64(0), UInt64(0))
    while let byte = rest.popFirst() {
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    throw Malformed()
  }

  private static func fixed(_ rest: inout ArraySlice<UInt8>, _ count: Int) throws -> UInt64 {
    guard rest.count >= count else { throw Malformed() }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  func int(_ number: Int) -> Int? {
    if case .varint(let value) = first(number) { Int(Int64(bitPattern: value)) } else { nil }
  }

  func double(_ number: Int) -> Double? {
    if case .fixed64(let value) = first(number) { Double(bitPattern: value) } else { nil }
  }

  func float(_ number: Int) -> Float? {
    if case .fixed32(let value) = first(number) { Float(bitPattern: value) } else { nil }
  }

  func text(_ number: Int) -> String? {
    if case .bytes(let value) = first(number) { String(decoding: value, as: UTF8.self) } else { nil }
  }

  func messages(_ number: Int) throws -> [ProtobufFields] {
    try fields.filter { $0.number == number }.map {
      guard case .bytes(let bytes) = $0.value else { throw Malformed() }
      return try ProtobufFields(bytes)
    }
  }

  private func first(_ number: Int) -> Value? { fields.first { $0.number == number }?.value }
}

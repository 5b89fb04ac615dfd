/// The fields of a message in the wire format of Protocol Buffers.
///
/// A field is its number and wire type as a varint, then the value: a varint, 8 or 4 bytes little-endian, or a length
/// and so many bytes.
struct ProtobufMessage {
  var bytes: [UInt8] = []

  init() {}

  init(_ build: (inout ProtobufMessage) -> Void) { build(&self) }

  mutating func add(_ field: Int, varint value: Int) {
    Self.append(field, .varint, to: &bytes)
    Self.append(UInt64(bitPattern: Int64(value)), to: &bytes)
  }

  mutating func add(_ field: Int, double value: Double) {
    Self.append(field, .fixed64, to: &bytes)
    Self.append(value.bitPattern, to: &bytes, count: 8)
  }

  mutating func add(_ field: Int, float value: Float) {
    Self.append(field, .fixed32, to: &bytes)
    Self.append(UInt64(value.bitPattern), to: &bytes, count: 4)
  }

  mutating func add(_ field: Int, text: String) {
    Self.append(field, .delimited, to: &bytes)
    Self.append(UInt64(text.utf8.count), to: &bytes)
    bytes.append(contentsOf: text.utf8)
  }

  mutating func add(_ field: Int, _ message: ProtobufMessage) {
    Self.append(field, .delimited, to: &bytes)
    Self.append(UInt64(message.bytes.count), to: &bytes)
    bytes.append(contentsOf: message.bytes)
  }

  mutating func add(_ field: Int, _ build: (inout ProtobufMessage) -> Void) { add(field, ProtobufMessage(build)) }

  /// Adds a packed list.
  mutating func add(_ field: Int, doubles: [Double]) {
    Self.append(field, .delimited, to: &bytes)
    Self.append(UInt64(8 * doubles.count), to: &bytes)
    for value in doubles { Self.append(value.bitPattern, to: &bytes, count: 8) }
  }

  // MARK: The wire

  enum WireType: UInt64 {
    case varint = 0
    case fixed64 = 1
    case delimited = 2
    case fixed32 = 5
  }

  /// Appends the beginning of a field.
  static func append(_ field: Int, _ type: WireType, to bytes: inout [UInt8]) {
    append(UInt64(field) << 3 | type.rawValue, to: &bytes)
  }

  /// Appends a varint: seven bits a byte, the low ones first.
  static func append(_ value: UInt64, to bytes: inout [UInt8]) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  /// Appends the low `count` bytes of a value, the lowest first.
  static func append(_ value: UInt64, to bytes: inout [UInt8], count: Int) {
    for place in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * place))) }
  }

  /// The number of bytes of a varint.
  static func length(_ value: Int) -> Int {
    var (length, rest) = (1, UInt64(value) >> 7)
    while rest > 0 {
      length += 1
      rest >>= 7
    }
    return length
  }
}

internal import OrderedCollections

/// Reads JSON (RFC 8259). A name that stands twice in an object is an error.
struct JSONParser {
  /// What is wrong with a text, and where.
  struct Failure: Error, CustomStringConvertible {
    /// Both from 1; the column counts bytes.
    let line: Int
    let column: Int
    let message: String

    var description: String { "line \(line), column \(column): \(message)" }
  }

  /// Objects and lists inside each other.
  private static let maximumDepth = 100

  private let bytes: [UInt8]
  private var position = 0

  private init(_ text: String) { bytes = Array(text.utf8) }

  static func parse(_ text: String) throws(Failure) -> JSONValue {
    var parser = JSONParser(text)
    let value = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.position == parser.bytes.count else {
      throw parser.failure("there is more after the end of the value")
    }
    return value
  }

  private func failure(_ message: String, at place: Int? = nil) -> Failure {
    let before = bytes[..<min(place ?? position, bytes.count)]
    let line = before.reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    return Failure(line: line, column: before.count - lineStart + 1, message: message)
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
  }

  private mutating func skip(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func skip(word: StaticString) -> Bool {
    let count = word.utf8CodeUnitCount
    guard position + count <= bytes.count else { return false }
    for offset in 0..<count where bytes[position + offset] != word.utf8Start[offset] { return false }
    position += count
    return true
  }

  private mutating func value(depth: Int) throws(Failure) -> JSONValue {
    guard depth < Self.maximumDepth else { throw failure("the values are nested too deeply") }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try list(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case nil: throw failure("the text ends where a value should be")
    default: break
    }
    if skip(word: "true") { return .bool(true) }
    if skip(word: "false") { return .bool(false) }
    if skip(word: "null") { return .null }
    return try number()
  }

  private mutating func object(depth: Int) throws(Failure) -> JSONValue {
    position += 1
    var members: OrderedDictionary<String, JSONValue> = [:]
    if skip("}") { return .object(members) }
    repeat {
      skipSpace()
      let start = position
      guard next == UInt8(ascii: "\"") else {
        throw failure(
          next == UInt8(ascii: "}") ? "there is a comma too many" : foreign ?? "a name in quotes should be here")
      }
      let name = try string()
      guard members[name] == nil else { throw failure("'\(name)' stands twice in one object", at: start) }
      guard skip(":") else { throw failure("a colon should be here") }
      members[name] = try value(depth: depth + 1)
    } while skip(",")
    guard skip("}") else { throw failure(foreign ?? "a comma or a closing brace should be here") }
    return .object(members)
  }

  private mutating func list(depth: Int) throws(Failure) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    if skip("]") { return .list(elements) }
    repeat { elements.append(try value(depth: depth + 1)) } while skip(",")
    guard skip("]") else { throw failure(foreign ?? "a comma or a closing bracket should be here") }
    return .list(elements)
  }

  private mutating func number() throws(Failure) -> JSONValue {
    let start = position
    while let byte = next, "+-.eE0123456789".utf8.contains(byte) { position += 1 }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    guard Self.isNumber(text) else {
      throw failure(text.isEmpty ? foreign ?? "a value should be here" : "'\(text)' is not a number", at: start)
    }
    if let whole = Int(text) { return .integer(whole) }
    guard let value = Double(text), value.isFinite else { throw failure("'\(text)' is too large", at: start) }
    return .number(value)
  }

  /// What is wrong with something at this place that other languages know; nil for anything else.
  private var foreign: String? {
    switch next {
    case UInt8(ascii: "/"), UInt8(ascii: "#"): return "JSON has no comments; remove it"
    case UInt8(ascii: "'"): return "JSON has double quotes only"
    default: break
    }
    let word = bytes[position...].prefix {
      ("a"..."z").contains(Unicode.Scalar($0)) || ("A"..."Z").contains(Unicode.Scalar($0))
    }
    switch String(decoding: word, as: UTF8.self) {
    case "True": return "'True' is Python; write true"
    case "False": return "'False' is Python; write false"
    case "None": return "'None' is Python; write null"
    case "": return nil
    case let other:
      return "'\(other)' is no value of JSON; write a text in double quotes, a number, true, false or null"
    }
  }

  /// What `Double.init` takes and JSON does not is left out: leading zeros, a plus sign, a bare point.
  private static func isNumber(_ text: String) -> Bool {
    var rest = text[...]
    if rest.hasPrefix("-") { rest.removeFirst() }
    let whole = rest.prefix { $0.isASCII && $0.isNumber }
    guard !whole.isEmpty, whole == "0" || !whole.hasPrefix("0") else { return false }
    rest = rest.dropFirst(whole.count)
    if rest.hasPrefix(".") {
      let fraction = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
      guard !fraction.isEmpty else { return false }
      rest = rest.dropFirst(fraction.count + 1)
    }
    guard let mark = rest.first else { return true }
    guard mark == "e" || mark == "E" else { return false }
    rest.removeFirst()
    if rest.hasPrefix("+") || rest.hasPrefix("-") { rest.removeFirst() }
    return !rest.isEmpty && rest.allSatisfy { $0.isASCII && $0.isNumber }
  }

  private mutating func string() throws(Failure) -> String {
    let start = position
    position += 1
    var result: [UInt8] = []
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: result, as: UTF8.self)
      case UInt8(ascii: "\\"): result += try escape()
      case 0..<0x20: throw failure("a line break or control character stands in a text", at: position - 1)
      default: result.append(byte)
      }
    }
    throw failure("the text that begins here has no end", at: start)
  }

  private mutating func escape() throws(Failure) -> [UInt8] {
    guard let byte = next else { throw failure("the text ends in a backslash") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"): return try unicodeEscape()
    default: throw failure("a backslash stands before a character that needs none", at: position - 2)
    }
  }

  private mutating func unicodeEscape() throws(Failure) -> [UInt8] {
    var code = try hexadecimal()
    if (0xD800..<0xDC00).contains(code), skip(word: "\\u") {
      let low = try hexadecimal()
      guard (0xDC00..<0xE000).contains(low) else { throw failure("half of a character is missing") }
      code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(code) else { throw failure("half of a character is missing") }
    return Array(String(Character(scalar)).utf8)
  }

  private mutating func hexadecimal() throws(Failure) -> UInt32 {
    guard position + 4 <= bytes.count,
      let code = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw failure("four hexadecimal digits should be here") }
    position += 4
    return code
  }
}

/// A single value as it was written; what it means depends on who reads it.
///
/// `1e-3` is a number for a learning rate and a text for a name, whatever YAML would take it for.
struct ConfigScalar: Hashable {
  let text: String
  /// Whether it stood in quotes and so is a text in any case.
  let isQuoted: Bool

  /// A value as written without quotes.
  init(_ text: String, isQuoted: Bool = false) {
    self.text = text
    self.isQuoted = isQuoted
  }

  /// A text, which is quoted where it could be taken for something else.
  init(text: String) {
    let plain = ConfigScalar(text)
    self.init(
      text, isQuoted: !Self.isPlain(text) || plain.isNull || plain.bool != nil || plain.double != nil)
  }

  static func == (left: ConfigScalar, right: ConfigScalar) -> Bool {
    left.text == right.text && left.isNull == right.isNull
  }

  func hash(into hasher: inout Hasher) { hasher.combine(text) }

  private static let nulls: Set = ["", "~", "null", "Null", "NULL"]

  var isNull: Bool { !isQuoted && Self.nulls.contains(text) }

  var bool: Bool? {
    switch text.lowercased() {
    case "true", "yes", "on": true
    case "false", "no", "off": false
    default: nil
    }
  }

  func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? { Value(digits) }

  var double: Double? {
    switch text.lowercased() {
    case ".inf", "+.inf": .infinity
    case "-.inf": -.infinity
    case ".nan": .nan
    default: text.first?.isWhitespace == false ? Double(digits) : nil
    }
  }

  /// The text without the underscores that YAML allows between digits.
  private var digits: String { text.hasPrefix("_") || text.hasSuffix("_") ? text : text.filter { $0 != "_" } }

  /// The value as YAML reads it back.
  var yaml: String {
    guard isQuoted || !Self.isPlain(text) else { return text }
    if isNull { return "null" }
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0xFEFF:
        let hex = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// Whether a text can stand without quotes in a block and in `[...]`.
  private static func isPlain(_ text: String) -> Bool {
    guard let first = text.first, let last = text.last, !first.isWhitespace, !last.isWhitespace, last != ":" else {
      return false
    }
    if "!&*?|>'\"%@`{}[],#".contains(first) || text.hasPrefix("- ") || text == "-" || text.hasPrefix("---") {
      return false
    }
    if text.hasPrefix("...") || text.contains(": ") || text.contains(" #") { return false }
    return text.unicodeScalars.allSatisfy { scalar in
      scalar.value >= 0x20 && !(0x7F...0xA0).contains(scalar.value) && !"{}[],".unicodeScalars.contains(scalar)
        && !scalar.properties.isNoncharacterCodePoint && scalar.value != 0xFEFF && scalar != "\u{2028}"
        && scalar != "\u{2029}"
    }
  }
}

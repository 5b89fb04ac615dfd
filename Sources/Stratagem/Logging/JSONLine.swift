/// Writes one object as one line of JSON (RFC 8259), members in the given order.
public enum JSONLine {
  /// Returns the object without a line break at the end.
  ///
  /// Numbers carry the digits that restore them exactly in their own precision. JSON knows neither NaN nor
  /// infinities: both become `null`, which readers such as pandas turn back into NaN. All text above ASCII stays
  /// as UTF-8.
  public static func text(_ members: [(name: String, value: JSONScalar)]) -> String {
    var line = "{"
    for (name, value) in members {
      if line.utf8.count > 1 { line += ", " }
      appendQuoted(name, to: &line)
      line += ": "
      append(value, to: &line)
    }
    return line + "}"
  }

  /// Returns a single value.
  public static func text(_ value: JSONScalar) -> String {
    var text = ""
    append(value, to: &text)
    return text
  }

  private static func append(_ value: JSONScalar, to line: inout String) {
    switch value {
    case .string(let text): appendQuoted(text, to: &line)
    case .int(let number): line += number.description
    case .double(let number): line += number.isFinite ? number.description : "null"
    case .float(let number): line += number.isFinite ? number.description : "null"
    case .bool(let flag): line += flag ? "true" : "false"
    case .null: line += "null"
    }
  }

  /// Returns the text as a JSON string with its quotes.
  package static func quoted(_ text: String) -> String {
    var result = ""
    appendQuoted(text, to: &result)
    return result
  }

  private static func appendQuoted(_ text: String, to line: inout String) {
    line += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": line += "\\\""
      case "\\": line += "\\\\"
      case "\n": line += "\\n"
      case "\r": line += "\\r"
      case "\t": line += "\\t"
      case "\0"..<" ", "\u{7f}", "\u{2028}", "\u{2029}":
        let digits = String(scalar.value, radix: 16)
        line += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: line.unicodeScalars.append(scalar)
      }
    }
    line += "\""
  }
}

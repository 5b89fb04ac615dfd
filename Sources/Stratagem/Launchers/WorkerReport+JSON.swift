extension WorkerReport {
  /// The longest message that is sent, in characters; the middle of a longer one is left out.
  static let messageLimit = 8000

  /// Returns the report as one line of JSON.
  func encoded() -> String {
    var text = message
    if text.count > Self.messageLimit {
      let half = Self.messageLimit / 2
      text = "\(text.prefix(half))\n… \(text.count - 2 * half) characters left out …\n\(text.suffix(half))"
    }
    return "{\"rank\":\(rank),\"kind\":\"\(kind.rawValue)\",\"message\":\"\(Self.escaped(text))\"}"
  }

  /// Reads a line of JSON; `nil` when it is not a report.
  init?(decoding line: some Collection<UInt8>) {
    var scanner = Scanner(text: Array(String(decoding: line, as: UTF8.self).unicodeScalars))
    guard let fields = scanner.object(), let rank = fields["rank"].flatMap({ Int($0) }),
      let kind = fields["kind"].flatMap({ Kind(rawValue: $0) }), let message = fields["message"]
    else { return nil }
    self.init(rank: rank, kind: kind, message: message)
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// Reads an object whose values are strings and whole numbers.
  private struct Scanner {
    let text: [Unicode.Scalar]
    var position = 0

    mutating func object() -> [String: String]? {
      var fields: [String: String] = [:]
      guard skip("{") else { return nil }
      if skip("}") { return fields }
      repeat {
        guard let key = string(), skip(":"), let value = string() ?? number() else { return nil }
        fields[key] = value
      } while skip(",")
      return skip("}") ? fields : nil
    }

    private mutating func skip(_ wanted: Unicode.Scalar) -> Bool {
      while position < text.count, text[position].properties.isWhitespace { position += 1 }
      guard position < text.count, text[position] == wanted else { return false }
      position += 1
      return true
    }

    private mutating func number() -> String? {
      let start = position
      while position < text.count, text[position] == "-" || ("0"..."9").contains(text[position]) { position += 1 }
      return start == position ? nil : String(String.UnicodeScalarView(text[start..<position]))
    }

    private mutating func string() -> String? {
      guard skip("\"") else { return nil }
      var result = String.UnicodeScalarView()
      while position < text.count {
        let scalar = text[position]
        position += 1
        if scalar == "\"" { return String(result) }
        guard scalar == "\\" else {
          result.append(scalar)
          continue
        }
        guard let escaped = escape() else { return nil }
        result.append(escaped)
      }
      return nil
    }

    private mutating func escape() -> Unicode.Scalar? {
      guard position < text.count else { return nil }
      let letter = text[position]
      position += 1
      switch letter {
      case "n": return "\n"
      case "t": return "\t"
      case "r": return "\r"
      case "b": return "\u{8}"
      case "f": return "\u{C}"
      case "u":
        guard position + 4 <= text.count else { return nil }
        let digits = String(String.UnicodeScalarView(text[position..<position + 4]))
        position += 4
        return UInt32(digits, radix: 16).flatMap { Unicode.Scalar($0) }
      default: return letter
      }
    }
  }
}

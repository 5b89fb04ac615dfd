/// Widths of text in terminal columns.
package enum DisplayText {
  /// Returns the columns that a text takes: two for East Asian wide characters and emoji, one for others.
  static func width(_ text: String) -> Int {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
    return text.reduce(0) { $0 + width($1) }
  }

  /// Returns the text with `?` for characters that would move the cursor or colour the output.
  package static func sanitized(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "?" : $0 }))
  }

  /// Returns the beginning of a text that fits, with an ellipsis when something was cut off.
  package static func truncated(_ text: String, to limit: Int, ellipsis: String) -> String {
    guard width(text) > limit else { return text }
    let room = limit - width(ellipsis)
    guard room > 0 else { return String(repeating: ".", count: max(limit, 0)) }
    var result = ""
    var used = 0
    for character in text {
      used += width(character)
      if used > room { break }
      result.append(character)
    }
    return result + ellipsis
  }

  static func padded(_ text: String, to columns: Int, _ alignment: TextTable.Alignment) -> String {
    let missing = max(columns - width(text), 0)
    let before =
      switch alignment {
      case .left: 0
      case .center: missing / 2
      case .right: missing
      }
    return String(repeating: " ", count: before) + text + String(repeating: " ", count: missing - before)
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
  }

  private static func width(_ character: Character) -> Int {
    guard let scalar = character.unicodeScalars.first?.value else { return 0 }
    switch scalar {
    case 0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60,
      0xffe0...0xffe6, 0x1f300...0x1faff, 0x20000...0x3fffd:
      return 2
    default: return 1
    }
  }
}

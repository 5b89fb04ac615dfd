/// Reads decimal numbers from bytes.
enum CSVNumber {
  /// 10⁰ to 10²², which doubles hold exactly.
  private static let powersOfTen: [Double] = (0...22).reduce(into: []) { powers, exponent in
    powers.append(exponent == 0 ? 1 : powers[exponent - 1] * 10)
  }

  /// The finite number that a cell holds, correctly rounded; `nil` when it holds anything else.
  static func parse(_ bytes: [UInt8], _ range: Range<Int>) -> Double? {
    let cell = unquoted(bytes, trimmed(bytes, range))
    var position = cell.lowerBound
    let end = cell.upperBound
    guard position < end else { return nil }
    let isNegative = bytes[position] == UInt8(ascii: "-")
    if isNegative || bytes[position] == UInt8(ascii: "+") { position += 1 }

    // Up to 15 digits and a small power of ten: one exact product or quotient (W. Clinger, 1990).
    var mantissa = 0
    var digits = 0
    var decimals = 0
    var isDecimal = false
    while position < end {
      let byte = bytes[position]
      if byte >= 48, byte <= 57, digits < 15 {
        mantissa = mantissa * 10 + Int(byte &- 48)
        digits += 1
        if isDecimal { decimals += 1 }
      } else if byte == UInt8(ascii: "."), !isDecimal {
        isDecimal = true
      } else {
        return parseSlowly(bytes, cell)
      }
      position += 1
    }
    guard digits > 0 else { return nil }
    let magnitude = decimals == 0 ? Double(mantissa) : Double(mantissa) / powersOfTen[decimals]
    return isNegative ? -magnitude : magnitude
  }

  /// Exponents and long mantissas. Hexadecimal, `nan` and `inf` are no numbers here.
  private static func parseSlowly(_ bytes: [UInt8], _ cell: Range<Int>) -> Double? {
    for byte in bytes[cell] {
      switch byte {
      case 48...57, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
        continue
      default: return nil
      }
    }
    guard let value = Double(String(decoding: bytes[cell], as: UTF8.self)), value.isFinite else { return nil }
    return value
  }

  /// Without spaces, tabs and carriage returns at either end.
  static func trimmed(_ bytes: [UInt8], _ range: Range<Int>) -> Range<Int> {
    var lower = range.lowerBound
    var upper = range.upperBound
    while lower < upper, isSpace(bytes[lower]) { lower += 1 }
    while lower < upper, isSpace(bytes[upper - 1]) { upper -= 1 }
    return lower..<upper
  }

  /// Without a pair of double quotes around it.
  static func unquoted(_ bytes: [UInt8], _ range: Range<Int>) -> Range<Int> {
    let quote = UInt8(ascii: "\"")
    guard range.count >= 2, bytes[range.lowerBound] == quote, bytes[range.upperBound - 1] == quote else { return range }
    return range.lowerBound + 1..<range.upperBound - 1
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 13 }
}

internal import Glibc

/// How a number is written, in the words of Python's format: `02d`, `.2f`, `8.3e`, `g`, or nothing.
struct NumberFormat {
  private var isPadded = false
  private var width = 0
  private var precision: Int?
  private var kind: Character?

  /// Nil for what is no format of a number.
  init?(_ text: Substring) {
    var rest = text
    if rest.first == "0" {
      isPadded = true
      rest.removeFirst()
    }
    let digits = rest.prefix { $0.isASCII && $0.isNumber }
    rest.removeFirst(digits.count)
    guard digits.count < 3 else { return nil }
    width = Int(digits) ?? 0
    if rest.first == "." {
      let places = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
      guard let count = Int(places), count < 100 else { return nil }
      precision = count
      rest.removeFirst(places.count + 1)
    }
    kind = rest.popFirst()
    guard rest.isEmpty, kind.map({ "dfFeEgG".contains($0) }) ?? true, kind != "d" || precision == nil else {
      return nil
    }
  }

  func text(_ value: Int) -> String {
    kind == nil && precision == nil || kind == "d" ? padded("\(value)") : text(Double(value))
  }

  func text(_ value: Double) -> String {
    guard value.isFinite else { return padded(value.isNaN ? "nan" : value > 0 ? "inf" : "-inf", with: " ") }
    if kind == nil && precision == nil { return padded("\(value)") }
    if kind == "d" { return padded(printed(value.rounded(), ".0f")) }
    return padded(printed(value, ".\(precision ?? 6)\(kind ?? "g")"))
  }

  private func printed(_ value: Double, _ format: String) -> String {
    withVaList([value]) { arguments in
      var buffer = [CChar](repeating: 0, count: 512)
      vsnprintf(&buffer, buffer.count, "%" + format, arguments)
      return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }

  /// Fills up to the width, zeros after the sign.
  private func padded(_ text: String, with fill: Character? = nil) -> String {
    let missing = String(repeating: fill ?? (isPadded ? "0" : " "), count: max(0, width - text.count))
    guard isPadded, fill == nil, text.hasPrefix("-") else { return missing + text }
    return "-" + missing + text.dropFirst()
  }
}

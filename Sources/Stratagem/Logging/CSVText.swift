/// The text rules of comma-separated files (RFC 4180).
enum CSVText {
  static let newline = UInt8(ascii: "\n")
  static let comma = UInt8(ascii: ",")
  private static let quote = UInt8(ascii: "\"")

  /// Appends a cell, in quotes when it holds a comma, a quote, a line break or outer blanks.
  static func append(_ cell: String, to bytes: inout [UInt8]) {
    let special: Set<Character> = [",", "\"", "\n", "\r", "\r\n"]
    guard cell.contains(where: { special.contains($0) }) || cell.first == " " || cell.last == " " else {
      bytes.append(contentsOf: cell.utf8)
      return
    }
    bytes.append(quote)
    for byte in cell.utf8 {
      if byte == quote { bytes.append(quote) }
      bytes.append(byte)
    }
    bytes.append(quote)
  }

  /// Appends an integer in decimal, without an intermediate string.
  static func append(_ value: Int, to bytes: inout [UInt8]) {
    if value < 0 { bytes.append(UInt8(ascii: "-")) }
    var rest = value.magnitude
    var scale: UInt = 1
    while rest / scale >= 10 { scale *= 10 }
    while scale > 0 {
      bytes.append(UInt8(ascii: "0") + UInt8(rest / scale))
      rest %= scale
      scale /= 10
    }
  }

  /// Returns the first record of a file and the offset at which the next one begins.
  ///
  /// - Returns: `nil` when the bytes hold no complete record (no line break outside of quotes).
  static func firstRecord(of bytes: [UInt8]) -> (cells: [String], end: Int)? {
    var cells: [String] = []
    var cell: [UInt8] = []
    var isQuoted = false
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      index += 1
      if byte == quote {
        if isQuoted, index < bytes.count, bytes[index] == quote {
          cell.append(quote)
          index += 1
        } else {
          isQuoted.toggle()
        }
      } else if isQuoted || (byte != comma && byte != newline) {
        cell.append(byte)
      } else {
        if byte == newline, cell.last == UInt8(ascii: "\r") { cell.removeLast() }
        cells.append(String(decoding: cell, as: UTF8.self))
        cell.removeAll(keepingCapacity: true)
        if byte == newline { return (cells, index) }
      }
    }
    return nil
  }
}

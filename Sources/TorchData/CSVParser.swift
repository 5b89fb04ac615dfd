/// Reads lines of numbers.
struct CSVParser {
  let path: String
  let separator: UInt8
  private(set) var names: [String] = []
  private(set) var values: [Double] = []
  private(set) var lines: [Int] = []

  private static let newline = UInt8(ascii: "\n")
  private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]

  init(path: String, separator: UInt8) {
    self.path = path
    self.separator = separator
  }

  mutating func parse(_ bytes: [UInt8], header: Bool) throws(CSVError) {
    var position = bytes.starts(with: Self.byteOrderMark) ? 3 : 0
    var line = 0
    var needsNames = true
    while position < bytes.count {
      line += 1
      var end = position
      while end < bytes.count, bytes[end] != Self.newline { end += 1 }
      let range = CSVNumber.trimmed(bytes, position..<end)
      position = end + 1
      if range.isEmpty { continue }
      if needsNames {
        needsNames = false
        if header {
          try readNames(bytes, range, line)
          continue
        }
        let count = 1 + bytes[range].count { $0 == separator }
        names = (1...count).map(String.init)
      }
      if lines.count == 1 {
        // A file is about as many lines as its first row fits into it.
        values.reserveCapacity(names.count * (bytes.count / max(1, range.count) + 1))
      }
      try readRow(bytes, range, line)
    }
    if names.isEmpty { throw CSVError(path: path, reason: "the file is empty") }
    if lines.isEmpty { throw CSVError(path: path, reason: "there is a header, but no row follows it") }
  }

  private mutating func readNames(_ bytes: [UInt8], _ range: Range<Int>, _ line: Int) throws(CSVError) {
    var places: [String: Int] = [:]
    for cell in cells(bytes, range) {
      let name = String(decoding: bytes[cell], as: UTF8.self)
      names.append(name)
      if let first = places.updateValue(names.count, forKey: name) {
        throw CSVError(
          path: path, line: line,
          reason: "the header names columns \(first) and \(names.count) both '\(name)'; "
            + "if the first line is data already, pass header: false")
      }
    }
  }

  private mutating func readRow(_ bytes: [UInt8], _ range: Range<Int>, _ line: Int) throws(CSVError) {
    let before = values.count
    var start = range.lowerBound
    while true {
      var end = start
      while end < range.upperBound, bytes[end] != separator { end += 1 }
      if values.count - before < names.count {
        guard let value = CSVNumber.parse(bytes, start..<end) else {
          let found = 1 + bytes[range].count { $0 == separator }
          if found != names.count { throw wrongCount(found, line) }
          throw badCell(bytes, start..<end, line, column: values.count - before)
        }
        values.append(value)
      } else {
        throw wrongCount(1 + bytes[range].count { $0 == separator }, line)
      }
      if end == range.upperBound { break }
      start = end + 1
    }
    if values.count - before != names.count { throw wrongCount(values.count - before, line) }
    lines.append(line)
  }

  private func wrongCount(_ found: Int, _ line: Int) -> CSVError {
    CSVError(path: path, line: line, reason: "the line has \(found) columns, expected \(names.count)")
  }

  private func badCell(_ bytes: [UInt8], _ range: Range<Int>, _ line: Int, column: Int) -> CSVError {
    let cell = CSVNumber.trimmed(bytes, range)
    let text = String(decoding: bytes[cell].prefix(40), as: UTF8.self) + (cell.count > 40 ? "..." : "")
    return CSVError(
      path: path, line: line, column: column + 1, columnName: names[column],
      reason: cell.isEmpty ? "the cell is empty, expected a number" : "'\(text)' is not a number")
  }

  /// The cells of the header; a separator inside quotes is part of the name.
  private func cells(_ bytes: [UInt8], _ range: Range<Int>) -> [Range<Int>] {
    var cells: [Range<Int>] = []
    var start = range.lowerBound
    var isQuoted = false
    for position in range.lowerBound...range.upperBound {
      if position < range.upperBound, bytes[position] == UInt8(ascii: "\"") { isQuoted.toggle() }
      if position == range.upperBound || (bytes[position] == separator && !isQuoted) {
        cells.append(CSVNumber.unquoted(bytes, CSVNumber.trimmed(bytes, start..<position)))
        start = position + 1
      }
    }
    return cells
  }
}

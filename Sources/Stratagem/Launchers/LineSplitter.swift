/// Cuts a stream of bytes into lines.
struct LineSplitter {
  /// The longest line that is kept in one piece, in bytes.
  static let longestLine = 1 << 16

  private var partial: [UInt8] = []

  /// Takes the next bytes and returns the lines that they complete, without newlines and trailing carriage returns.
  ///
  /// A line longer than `longestLine` is given out in pieces, cut between UTF-8 characters.
  mutating func lines(adding bytes: some Collection<UInt8>) -> [[UInt8]] {
    var lines: [[UInt8]] = []
    var start = bytes.startIndex
    while let newline = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      partial.append(contentsOf: bytes[start..<newline])
      cut(into: &lines)
      lines.append(taken())
      start = bytes.index(after: newline)
    }
    partial.append(contentsOf: bytes[start...])
    cut(into: &lines)
    return lines
  }

  /// Returns what came after the last newline, or `nil` when there is nothing.
  mutating func rest() -> [UInt8]? { partial.isEmpty ? nil : taken() }

  private mutating func taken() -> [UInt8] {
    if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
    defer { partial = [] }
    return partial
  }

  private mutating func cut(into lines: inout [[UInt8]]) {
    while partial.count > Self.longestLine {
      var end = Self.longestLine
      while end > Self.longestLine - 4, partial[end] & 0xC0 == 0x80 { end -= 1 }
      lines.append(Array(partial[..<end]))
      partial.removeFirst(end)
    }
  }
}

/// A table of texts, drawn with lines, that fits a terminal.
public struct TextTable: Sendable {
  /// Where a cell's text stands in its column.
  public enum Alignment: Sendable, Hashable {
    /// At the left.
    case left
    /// In the middle.
    case center
    /// At the right, for numbers.
    case right
  }

  /// A column's title and alignment.
  public struct Column: Sendable, Hashable {
    /// The text of the first line.
    public var title: String
    /// The alignment of title and cells.
    public var alignment: Alignment

    /// Makes a column.
    public init(_ title: String, _ alignment: Alignment = .left) {
      self.title = title
      self.alignment = alignment
    }
  }

  /// The columns from left to right.
  public let columns: [Column]
  /// The rows from top to bottom.
  public private(set) var rows: [[String]] = []

  /// Makes a table without rows.
  public init(_ columns: [Column]) {
    self.columns = columns
  }

  /// Adds a row at the end; missing cells are empty, and cells beyond the last column are left out.
  public mutating func append(_ row: [String]) {
    let cells = row.prefix(columns.count).map(DisplayText.sanitized)
    rows.append(cells + Array(repeating: "", count: columns.count - cells.count))
  }

  /// Draws the table, each line ending in a line break.
  ///
  /// - Parameters:
  ///   - width: the columns of the terminal; wide cells are broken into several lines to fit, but no column becomes
  ///     narrower than 8. `nil` lets the table be as wide as its texts.
  ///   - isUTF8: draws with box characters, otherwise with `+`, `-`, `=` and `|`.
  public func text(width: Int? = nil, isUTF8: Bool = true) -> String {
    guard !columns.isEmpty else { return "" }
    let lines = isUTF8 ? Lines.box : Lines.ascii
    let widths = fitted(to: width)
    var text = rule(lines.top, widths)
    text += drawn(columns.map(\.title), widths, lines.heavy)
    text += rule(lines.middle, widths)
    for row in rows { text += drawn(row, widths, lines.light) }
    return text + rule(lines.bottom, widths)
  }

  // MARK: Drawing

  private struct Rule: Sendable {
    let left: String, fill: String, cross: String, right: String
  }

  private struct Lines: Sendable {
    let top: Rule, middle: Rule, bottom: Rule
    let heavy: String, light: String

    static let box = Lines(
      top: Rule(left: "┏", fill: "━", cross: "┳", right: "┓"),
      middle: Rule(left: "┡", fill: "━", cross: "╇", right: "┩"),
      bottom: Rule(left: "└", fill: "─", cross: "┴", right: "┘"), heavy: "┃", light: "│")
    static let ascii = Lines(
      top: Rule(left: "+", fill: "-", cross: "+", right: "+"),
      middle: Rule(left: "+", fill: "=", cross: "+", right: "+"),
      bottom: Rule(left: "+", fill: "-", cross: "+", right: "+"), heavy: "|", light: "|")
  }

  private func rule(_ rule: Rule, _ widths: [Int]) -> String {
    let cells = widths.map { String(repeating: rule.fill, count: $0 + 2) }
    return rule.left + cells.joined(separator: rule.cross) + rule.right + "\n"
  }

  private func drawn(_ row: [String], _ widths: [Int], _ border: String) -> String {
    let wrapped = zip(row, widths).map { Self.wrapped($0, to: $1) }
    var text = ""
    for line in 0..<(wrapped.map(\.count).max() ?? 0) {
      let cells = columns.indices.map { column in
        DisplayText.padded(
          line < wrapped[column].count ? wrapped[column][line] : "", to: widths[column], columns[column].alignment)
      }
      text += "\(border) " + cells.joined(separator: " \(border) ") + " \(border)\n"
    }
    return text
  }

  // MARK: Fitting

  /// Returns the widths of the columns; the widest are narrowed until the table fits.
  private func fitted(to limit: Int?) -> [Int] {
    var widths = columns.indices.map { column in
      rows.reduce(DisplayText.width(columns[column].title)) { max($0, DisplayText.width($1[column])) }
    }
    guard let limit else { return widths }
    let room = limit - 3 * widths.count - 1
    while widths.reduce(0, +) > room, let widest = widths.indices.max(by: { widths[$0] < widths[$1] }),
      widths[widest] > 8
    {
      widths[widest] -= 1
    }
    return widths
  }

  /// Breaks a text into lines, after a blank, `/`, `_`, `-` or `,` where there is one.
  private static func wrapped(_ text: String, to limit: Int) -> [String] {
    guard DisplayText.width(text) > limit, limit > 0 else { return [text] }
    var lines: [String] = []
    var rest = Substring(text)
    while !rest.isEmpty {
      var end = rest.startIndex
      var best: String.Index?
      var used = 0
      while end < rest.endIndex {
        used += DisplayText.width(String(rest[end]))
        if used > limit, end > rest.startIndex { break }
        let character = rest[end]
        end = rest.index(after: end)
        if " /_-,".contains(character) { best = end }
      }
      let cut = end == rest.endIndex ? end : best ?? end
      var line = rest[..<cut]
      while line.last == " " { line.removeLast() }
      lines.append(String(line))
      rest = rest[cut...].drop { $0 == " " }
    }
    return lines
  }
}

/// What progress output is on the screen now, and the bytes that bring it to the next state.
///
/// In the interactive mode the cursor rests at the end of the lowest line of the block, so that text printed by
/// others at worst continues a line and never overwrites one above.
struct ProgressScreen {
  private let mode: ProgressBar.Mode
  private let formatter: ProgressFormatter
  /// Columns of the lines on the screen, to know over how many rows they reach after the terminal became narrower.
  private var drawnColumns: [Int] = []
  private var drawnLines: [String] = []
  private var latestPlainLine = -Double.infinity

  private static let plainInterval = 5.0

  init(mode: ProgressBar.Mode, formatter: ProgressFormatter) {
    self.mode = mode
    self.formatter = formatter
  }

  /// Returns the bytes that show running stages; empty when nothing changes.
  mutating func draw(_ snapshots: [ProgressSnapshot], width: Int, at time: Double) -> String {
    switch mode {
    case .silent: return ""
    case .plain:
      guard !snapshots.isEmpty, time - latestPlainLine >= Self.plainInterval else { return "" }
      latestPlainLine = time
      return formatter.plainLine(snapshots) + "\n"
    case .interactive:
      let lines = snapshots.map { formatter.line($0, width: max(width - 1, 1)) }
      return lines == drawnLines ? "" : block(lines, width: width)
    }
  }

  /// Notes that a stage begins, so that the first plain line comes five seconds later.
  mutating func begin(at time: Double) {
    latestPlainLine = max(latestPlainLine, time)
  }

  /// Returns the bytes that leave the last state of a stage on the screen.
  mutating func finish(_ snapshot: ProgressSnapshot, width: Int, at time: Double) -> String {
    switch mode {
    case .silent: return ""
    case .plain:
      latestPlainLine = time
      return formatter.plainLine([snapshot]) + "\n"
    case .interactive:
      let text = block([formatter.line(snapshot, width: max(width - 1, 1))], width: width) + "\n"
      forget()
      return text
    }
  }

  /// Returns the bytes that print a text above the block.
  mutating func announce(_ text: String, width: Int) -> String {
    let ended = text.hasSuffix("\n") ? text : text + "\n"
    guard !drawnLines.isEmpty else { return ended }
    let (lines, erasure) = (drawnLines, home(width) + "\u{1b}[J")
    forget()
    return erasure + ended + block(lines, width: width)
  }

  /// Returns the bytes that end the block where it stands.
  mutating func leave() -> String {
    guard !drawnLines.isEmpty else { return "" }
    forget()
    return "\n"
  }

  private mutating func forget() {
    drawnLines.removeAll()
    drawnColumns.removeAll()
  }

  /// Overwrites the block; lines are cleared to their right only after they are written, which avoids flicker.
  private mutating func block(_ lines: [String], width: Int) -> String {
    let text = home(width) + lines.joined(separator: "\u{1b}[K\n") + "\u{1b}[J"
    drawnLines = lines
    drawnColumns = lines.map { DisplayText.width(Self.withoutEscapes($0)) }
    return text
  }

  private func home(_ width: Int) -> String {
    let rows = drawnColumns.reduce(0) { $0 + max(1, ($1 + width - 1) / max(width, 1)) }
    return rows > 1 ? "\u{1b}[\(rows - 1)A\r" : "\r"
  }

  private static func withoutEscapes(_ line: String) -> String {
    var result = ""
    var isEscape = false
    for character in line {
      if character == "\u{1b}" {
        isEscape = true
      } else if !isEscape {
        result.append(character)
      } else if character.isLetter {
        isEscape = false
      }
    }
    return result
  }
}

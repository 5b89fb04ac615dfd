/// Turns the state of a run into lines of text.
struct ProgressFormatter: Sendable {
  /// Whether box-drawing characters may be used.
  var isUTF8 = true
  /// Whether the bar is coloured with ANSI escape codes.
  var usesColor = false

  private static let barWidths = 10...40

  /// Returns a line with a bar, at most `width` columns wide.
  ///
  /// What does not fit is left out in this order: while running, the end of the whole run, metrics from the last to
  /// the second, the rate, the time left, the first metric; when finished, the rate, the time, metrics from the last
  /// on. The bar goes last. Its length is a multiple of five, so that it does not change with every digit.
  func line(_ snapshot: ProgressSnapshot, width: Int) -> String {
    let counter = self.counter(snapshot)
    let label = self.label(snapshot)
    let separator = isUTF8 ? " • " : " | "
    var parts = self.parts(snapshot)
    let bar = snapshot.total.map { $0 > 0 ? Self.barWidths.lowerBound + 1 : 0 } ?? 0
    func columns() -> Int {
      parts.reduce(DisplayText.width(label) + 1 + bar + counter.utf8.count) { $0 + 3 + DisplayText.width($1.text) }
    }
    while columns() > width, let drop = parts.indices.min(by: { parts[$0].priority < parts[$1].priority }) {
      parts.remove(at: drop)
    }
    let tail = counter + parts.map { separator + $0.text }.joined()
    let free = width - columns()
    guard bar > 0, free >= 0 else {
      return DisplayText.truncated("\(label) \(tail)", to: width, ellipsis: isUTF8 ? "…" : "...")
    }
    let cells = min((Self.barWidths.lowerBound + free) / 5 * 5, Self.barWidths.upperBound)
    return "\(label) \(self.bar(snapshot, cells: cells)) \(tail)"
  }

  /// Returns a line for a log: `epoch 3/10 31/46 batches, 2134 it/s, ETA 0:02, loss 0.213`.
  func plainLine(_ snapshots: [ProgressSnapshot]) -> String {
    guard let outer = snapshots.first, let last = snapshots.last else { return "" }
    var line = label(outer, padded: false).lowercased()
    if snapshots.count > 1 { line += " " + label(last).lowercased() }
    line += " \(counter(last, padded: false)) batches"
    for part in parts(last) { line += ", " + part.text }
    return line
  }

  // MARK: Parts

  private struct Part {
    let text: String
    /// Parts with low values are left out first.
    let priority: Int
  }

  private func parts(_ snapshot: ProgressSnapshot) -> [Part] {
    let isFinished = snapshot.isFinished
    var parts: [Part] = []
    if let rate = snapshot.rate { parts.append(Part(text: NumberText.rate(rate), priority: isFinished ? -2 : 1)) }
    if isFinished {
      parts.append(Part(text: NumberText.elapsed(snapshot.elapsed), priority: -1))
    } else {
      if let remaining = snapshot.remaining {
        parts.append(Part(text: "ETA " + NumberText.remaining(remaining), priority: 2))
      }
      if let rest = snapshot.runRemaining {
        parts.append(Part(text: "run " + NumberText.remaining(rest), priority: .min))
      }
    }
    for (index, metric) in snapshot.metrics.enumerated() {
      let text = DisplayText.sanitized(metric.name) + " " + NumberText.metric(metric.value)
      parts.append(Part(text: text, priority: isFinished ? Int.max - index : index == 0 ? 3 : -index))
    }
    return parts
  }

  private func label(_ snapshot: ProgressSnapshot, padded: Bool = true) -> String {
    guard snapshot.stage == .train else { return snapshot.stage.label }
    guard let total = snapshot.totalEpochs else { return "Epoch \(snapshot.epoch + 1)" }
    let number = "\(snapshot.epoch + 1)"
    let missing = padded ? max("\(total)".utf8.count - number.utf8.count, 0) : 0
    return "Epoch " + String(repeating: " ", count: missing) + "\(number)/\(total)"
  }

  private func counter(_ snapshot: ProgressSnapshot, padded: Bool = true) -> String {
    let total = snapshot.total.map { "\($0)" } ?? "?"
    let completed = "\(snapshot.completed)"
    let missing = padded && snapshot.total != nil ? max(total.utf8.count - completed.utf8.count, 0) : 0
    return String(repeating: " ", count: missing) + "\(completed)/\(total)"
  }

  private func bar(_ snapshot: ProgressSnapshot, cells: Int) -> String {
    let total = max(snapshot.total ?? 1, 1)
    let completed = min(max(snapshot.completed, 0), total)
    let halves = Int(Double(completed) / Double(total) * Double(cells * 2))
    let full = halves / 2
    let head = full == cells ? "" : halves % 2 == 1 ? (isUTF8 ? "╸" : ">") : (isUTF8 ? "" : full > 0 ? ">" : "")
    let rest = cells - full - (head.isEmpty ? 0 : 1)
    let done = String(repeating: isUTF8 ? "━" : "=", count: full) + head
    let left = String(repeating: isUTF8 ? "─" : "-", count: rest)
    guard usesColor else { return done + left }
    let color = snapshot.isFinished ? "32" : "36"
    return (done.isEmpty ? "" : "\u{1b}[\(color)m\(done)\u{1b}[0m") + (left.isEmpty ? "" : "\u{1b}[2m\(left)\u{1b}[0m")
  }
}

import Foundation

/// The rows as aligned text.
enum Table {
  static let header = ["benchmark", "measured", "against", "result", "target", ""]

  static func print(_ rows: [Row]) {
    let lines = [header] + rows.map(cells)
    let widths = header.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    for (index, line) in lines.enumerated() {
      Swift.print(
        zip(line, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }.joined(separator: "  "))
      if index == 0 { Swift.print(widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")) }
    }
  }

  private static func cells(_ row: Row) -> [String] {
    let unit = row.target.unit == "x" ? "x" : " " + row.target.unit
    return [
      row.name, number(row.measured) + " " + row.unit, row.reference.map { number($0) + " " + row.unit } ?? "",
      number(row.value) + unit,
      row.target.comparison.isEmpty ? "" : "\(row.target.comparison) \(number(row.target.limit))\(unit)",
      row.target.comparison.isEmpty ? "" : row.isMet ? "ok" : "MISSED",
    ]
  }

  private static func number(_ value: Double) -> String {
    let digits = abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : abs(value) >= 1 ? 2 : 3
    return String(format: "%.\(digits)f", value)
  }
}

/// The table of a model's parts with their sizes, as `print(model.summary())` shows it.
public struct ModuleSummary: Sendable, Hashable, CustomStringConvertible {
  /// One part of the model.
  public struct Row: Sendable, Hashable {
    /// The path of the part.
    public let name: String
    /// The type of the part; `Parameter` for a parameter of the model itself.
    public let type: String
    /// Numbers in its parameters, those of its children included.
    public let parameterCount: Int
    /// Those of them that require a gradient.
    public let trainableCount: Int
    /// Bytes of its parameters.
    public let byteCount: Int
  }

  /// The parts in declaration order.
  public let rows: [Row]
  /// Numbers in all parameters, shared ones counted once.
  public let parameterCount: Int
  /// Those of them that require a gradient.
  public let trainableCount: Int
  /// Bytes of all parameters.
  public let byteCount: Int
  /// Bytes of all buffers.
  public let bufferByteCount: Int

  public var description: String {
    let header = ["", "name", "type", "parameters", "trainable", "size"]
    let cells = rows.enumerated().map { index, row in
      [
        String(index), row.name, row.type, Self.grouped(row.parameterCount), Self.grouped(row.trainableCount),
        Self.size(row.byteCount),
      ]
    }
    let widths = header.indices.map { column in ([header] + cells).map { $0[column].count }.max() ?? 0 }
    let lines = ([header] + cells).map { Self.line($0, widths: widths) }
    let rule = widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "+").dropFirst().dropLast()
    let frozen = parameterCount - trainableCount
    let totals = """
      \(Self.grouped(parameterCount)) parameters (\(Self.size(byteCount))): \(Self.grouped(trainableCount)) trainable, \
      \(Self.grouped(frozen)) frozen; buffers \(Self.size(bufferByteCount))
      """
    return ([lines[0], String(rule)] + lines.dropFirst() + [String(rule), totals]).joined(separator: "\n")
  }

  private static func line(_ cells: [String], widths: [Int]) -> String {
    let padded = cells.enumerated().map { column, cell in
      let padding = String(repeating: " ", count: widths[column] - cell.count)
      return (1...2).contains(column) ? cell + padding : padding + cell
    }
    return padded.joined(separator: " | ")
  }

  /// `9610` as `9,610`.
  private static func grouped(_ number: Int) -> String {
    var text = ""
    for (index, digit) in String(number).reversed().enumerated() {
      if index > 0, index % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return String(text.reversed())
  }

  /// `38440` as `38.4 kB`, in powers of a thousand.
  private static func size(_ bytes: Int) -> String {
    if bytes < 1000 { return "\(bytes) B" }
    let units = ["kB", "MB", "GB", "TB"]
    var tenths = (bytes + 50) / 100
    var unit = 0
    while tenths >= 10_000, unit + 1 < units.count {
      tenths = (tenths + 500) / 1000
      unit += 1
    }
    return "\(tenths / 10).\(tenths % 10) \(units[unit])"
  }
}

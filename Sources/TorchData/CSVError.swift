/// What is wrong with a CSV file, and where.
public struct CSVError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The file.
  public let path: String
  /// The line, from 1; `nil` when the file as a whole is wrong.
  public let line: Int?
  /// The number of the column, from 1; `nil` when the line as a whole is wrong.
  public let column: Int?
  /// The column's name in the header.
  public let columnName: String?
  /// What is wrong, with the value found.
  public let reason: String

  init(path: String, line: Int? = nil, column: Int? = nil, columnName: String? = nil, reason: String) {
    self.path = path
    self.line = line
    self.column = column
    self.columnName = columnName
    self.reason = reason
  }

  public var description: String {
    var place = path
    if let line { place += ":\(line)" }
    if let column { place += ": column \(column)" + (columnName.map { " '\($0)'" } ?? "") }
    return "\(place): \(reason)"
  }
}

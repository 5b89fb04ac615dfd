import Torch

/// The numbers of a CSV file, plain or gzip-compressed.
///
/// Every line has the same number of cells, and every cell is a number; anything else is an error that names file,
/// line and column. Blank lines are skipped, spaces around cells and quotes too.
///
/// ```swift
/// let table = try CSVTable("digits.csv.gz")
/// let images = try table.tensor(columns: 0..<64) / 16
/// let labels = try table.labels(column: "label", validLabels: 0..<10)
/// ```
public struct CSVTable: Sendable {
  /// The file, as it was named.
  public let path: String
  /// The names in the header; without a header the numbers of the columns, from 1.
  public let columnNames: [String]
  /// The number of rows, the header not counted.
  public let rowCount: Int

  /// Row-major, rowCount × columnCount.
  let values: [Double]
  /// The line of each row.
  let lines: [Int]

  /// The number of columns.
  public var columnCount: Int { columnNames.count }

  /// Reads a file.
  ///
  /// - Parameters:
  ///   - path: a CSV file; one that starts with gzip's magic number is decompressed, whatever it is called.
  ///   - header: whether the first line names the columns.
  ///   - separator: one ASCII character between cells.
  /// - Throws: ``CSVError``.
  public init(_ path: String, header: Bool = true, separator: Unicode.Scalar = ",") throws(CSVError) {
    try self.init(bytes: Self.read(path), path: path, header: header, separator: separator)
  }

  /// Reads the bytes of a CSV file that is not compressed.
  init(bytes: [UInt8], path: String, header: Bool, separator: Unicode.Scalar) throws(CSVError) {
    var parser = CSVParser(path: path, separator: UInt8(truncatingIfNeeded: separator.value))
    try parser.parse(bytes, header: header)
    self.path = path
    columnNames = parser.names
    rowCount = parser.lines.count
    values = parser.values
    lines = parser.lines
  }

  private static func read(_ path: String) throws(CSVError) -> [UInt8] {
    do throws(FileError) {
      let bytes = try InputFile(path).readAll()
      return bytes.starts(with: [0x1f, 0x8b]) ? try Gzip.decompress(bytes) : bytes
    } catch {
      throw CSVError(path: path, reason: error.reason)
    }
  }

  /// The number of a column, from 0.
  public func columnIndex(named name: String) throws(CSVError) -> Int {
    if let index = columnNames.firstIndex(of: name) { return index }
    let known = columnNames.prefix(12).map { "'\($0)'" }.joined(separator: ", ")
    throw CSVError(
      path: path,
      reason: "there is no column '\(name)'; the \(columnCount) columns are \(known)\(columnCount > 12 ? ", ..." : "")")
  }

  /// The numbers of a column.
  public func column(named name: String) throws(CSVError) -> [Double] {
    let index = try columnIndex(named: name)
    return (0..<rowCount).map { values[$0 * columnCount + index] }
  }

  func error(row: Int, column: Int, _ reason: String) -> CSVError {
    CSVError(path: path, line: lines[row], column: column + 1, columnName: columnNames[column], reason: reason)
  }
}

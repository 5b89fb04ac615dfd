public import Torch

extension CSVTable {
  /// The numbers of some columns.
  ///
  /// - Parameters:
  ///   - columns: which, from 0; all when not given.
  ///   - dtype: the type of the elements; for an integer type every number must be one that it holds.
  /// - Returns: shape [rowCount, columns.count].
  public func tensor(columns: Range<Int>? = nil, dtype: DType = .float32) throws(CSVError) -> Tensor {
    let columns = columns ?? 0..<columnCount
    guard columns.lowerBound >= 0, columns.upperBound <= columnCount else {
      throw CSVError(
        path: path, reason: "columns \(columns) are asked for, there are \(columnCount) (0..<\(columnCount))")
    }
    let shape = [rowCount, columns.count]
    switch dtype {
    case .float64: return Tensor(cells(columns) { $0 }, shape: shape)
    case .int64: return Tensor(try integers(columns, as: Int64.self), shape: shape)
    case .int32: return Tensor(try integers(columns, as: Int32.self), shape: shape)
    case .int16: return Tensor(try integers(columns, as: Int16.self), shape: shape)
    case .int8: return Tensor(try integers(columns, as: Int8.self), shape: shape)
    case .uint8: return Tensor(try integers(columns, as: UInt8.self), shape: shape)
    case .float32: return Tensor(cells(columns) { Float($0) }, shape: shape)
    default: return Tensor(cells(columns) { Float($0) }, shape: shape).to(dtype)
    }
  }

  /// A column of class numbers, each of which is checked.
  ///
  /// - Returns: int64, shape [rowCount].
  /// - Throws: ``CSVError`` naming the line and the label when one is not a whole number in `validLabels`.
  public func labels(column name: String, validLabels: Range<Int>) throws(CSVError) -> Tensor {
    let column = try columnIndex(named: name)
    let labels = try integers(column..<column + 1, as: Int.self)
    for row in labels.indices where !validLabels.contains(labels[row]) {
      throw error(row: row, column: column, "label \(labels[row]) is out of range; valid labels are \(validLabels)")
    }
    return Tensor(labels)
  }

  private func cells<Element>(_ columns: Range<Int>, _ convert: (Double) -> Element) -> [Element] {
    var cells: [Element] = []
    cells.reserveCapacity(rowCount * columns.count)
    for row in 0..<rowCount {
      let start = row * columnCount
      for column in columns { cells.append(convert(values[start + column])) }
    }
    return cells
  }

  private func integers<Element: FixedWidthInteger>(
    _ columns: Range<Int>, as type: Element.Type
  ) throws(CSVError) -> [Element] {
    var cells: [Element] = []
    cells.reserveCapacity(rowCount * columns.count)
    for row in 0..<rowCount {
      for column in columns {
        let value = values[row * columnCount + column]
        guard let whole = Element(exactly: value) else {
          throw error(row: row, column: column, "\(value) is not a whole number in \(Element.min)...\(Element.max)")
        }
        cells.append(whole)
      }
    }
    return cells
  }
}

import Glibc

/// The metrics file of a `CSVLogger` while it is being written: columns, collected rows and the open descriptor.
struct CSVFile {
  private(set) var isStarted = false

  private let path: String
  private let flushInterval: Int
  private var descriptor: Int32 = -1
  private var columns: [String] = Self.fixedColumns
  private var columnIndices: [String: Int] = [:]
  private var buffer: [UInt8] = []
  private var bufferedRows = 0
  private var isHeaderWritten = false

  /// The names of the latest row, and for each column the position of its value in such a row or -1: rows mostly
  /// have the same names in the same order, and then nothing needs to be looked up.
  private var layoutNames: [String] = []
  private var valuePositions: [Int] = []

  private static let fixedColumns = ["epoch", "step"]

  init(path: String, flushInterval: Int) {
    self.path = path
    self.flushInterval = flushInterval
  }

  // MARK: Opening

  /// Begins a new file.
  mutating func create(_ existing: ExistingLogFile, previous: String) throws(LogFileError) {
    adopt(try LogFile.begin(path, existing, previous: previous), columns: Self.fixedColumns)
    appendHeader(to: &buffer)
  }

  /// Opens the file of an earlier run and removes what will be logged again.
  mutating func resume(at step: Int) throws(LogFileError) {
    try close()
    let opened = try LogFile.openForAppending(path)
    do throws(LogFileError) {
      let old = try LogFile.read(path)
      guard let header = CSVText.firstRecord(of: old) else {
        // A run that was killed before its first flush.
        if ftruncate(opened, 0) != 0 { throw LogFileError("empty", path: path, errno: errno) }
        adopt(opened, columns: Self.fixedColumns)
        appendHeader(to: &buffer)
        return
      }
      guard Array(header.cells.prefix(2)) == Self.fixedColumns else {
        let found = header.cells.prefix(3).joined(separator: ",")
        throw LogFileError(
          "continue", path: path,
          reason: "its first line begins with '\(found)', that of a metrics file with 'epoch,step'; move the file away")
      }
      let kept = try keptRows(of: old, from: header.end, before: step)
      if kept.count < old.count {
        let replaced = try LogFile.replace(path, with: kept)
        LogFile.close(opened)
        adopt(replaced, columns: header.cells)
      } else {
        adopt(opened, columns: header.cells)
      }
    } catch {
      LogFile.close(opened)
      throw error
    }
  }

  private mutating func adopt(_ opened: Int32, columns: [String]) {
    unlink(LogFile.temporaryPath(for: path))
    descriptor = opened
    isStarted = true
    buffer.removeAll(keepingCapacity: true)
    buffer.reserveCapacity(16 * 1024)
    bufferedRows = 0
    isHeaderWritten = false
    self.columns = columns
    columnIndices = [:]
    for (index, column) in columns.enumerated() { columnIndices[column] = index }
    layoutNames = []
    valuePositions = Array(repeating: -1, count: columns.count)
  }

  /// Returns the header and the whole lines whose step is less than `step`.
  private func keptRows(of old: [UInt8], from start: Int, before step: Int) throws(LogFileError) -> [UInt8] {
    var kept = Array(old[..<start])
    var lineStart = start
    while lineStart < old.count, let end = old[lineStart...].firstIndex(of: CSVText.newline) {
      let line = old[lineStart..<end]
      lineStart = end + 1
      let cells = line.split(separator: CSVText.comma, maxSplits: 2, omittingEmptySubsequences: false)
      if line.isEmpty { continue }
      let text = cells.count > 1 ? String(decoding: cells[1], as: UTF8.self) : ""
      guard let lineStep = Int(text) else {
        let lineNumber = old[..<end].count { $0 == CSVText.newline } + 1
        throw LogFileError(
          "continue", path: path,
          reason:
            "line \(lineNumber), column 2 (step) is '\(text)', not an integer; mend the line or move the file away")
      }
      if lineStep < step { kept.append(contentsOf: old[line.startIndex...end]) }
    }
    return kept
  }

  // MARK: Rows

  mutating func append(_ row: LoggedRow) throws(LogFileError) {
    if descriptor < 0 { descriptor = try LogFile.openForAppending(path) }
    if !matchesLayout(row) { try lay(out: row) }
    CSVText.append(row.epoch, to: &buffer)
    buffer.append(CSVText.comma)
    CSVText.append(row.step, to: &buffer)
    for column in 2..<valuePositions.count {
      buffer.append(CSVText.comma)
      let position = valuePositions[column]
      if position >= 0 { buffer.append(contentsOf: row.values[position].value.description.utf8) }
    }
    buffer.append(CSVText.newline)
    bufferedRows += 1
    if bufferedRows >= flushInterval { try flush() }
  }

  private func matchesLayout(_ row: LoggedRow) -> Bool {
    guard row.values.count == layoutNames.count else { return false }
    for position in 0..<layoutNames.count where row.values[position].name != layoutNames[position] { return false }
    return true
  }

  /// Finds the column of every value of the row, adding columns for names not seen before.
  private mutating func lay(out row: LoggedRow) throws(LogFileError) {
    layoutNames.removeAll(keepingCapacity: true)
    for column in valuePositions.indices { valuePositions[column] = -1 }
    var isGrown = false
    let oldCount = columns.count
    for (position, entry) in row.values.enumerated() {
      let column = columnIndices[entry.name] ?? columns.count
      guard column >= 2, column == columns.count || valuePositions[column] < 0 else {
        dropColumns(after: oldCount)
        throw LogFileError(
          "log to", path: path,
          reason: column < 2
            ? "a metric may not be named '\(entry.name)': every row has a column of that name"
            : "the metric '\(entry.name)' occurs twice in the row of epoch \(row.epoch), step \(row.step)")
      }
      if column == columns.count {
        columns.append(entry.name)
        columnIndices[entry.name] = column
        valuePositions.append(-1)
        isGrown = true
      }
      valuePositions[column] = position
    }
    if isGrown {
      do {
        try rewrite(adding: columns.count - oldCount)
      } catch {
        dropColumns(after: oldCount)
        throw error
      }
    }
    for entry in row.values { layoutNames.append(entry.name) }
  }

  private mutating func dropColumns(after count: Int) {
    for column in columns[count...] { columnIndices[column] = nil }
    columns.removeSubrange(count...)
    valuePositions.removeSubrange(count...)
    layoutNames.removeAll(keepingCapacity: true)
  }

  // MARK: Writing

  private func appendHeader(to bytes: inout [UInt8]) {
    for (index, column) in columns.enumerated() {
      if index > 0 { bytes.append(CSVText.comma) }
      CSVText.append(column, to: &bytes)
    }
    bytes.append(CSVText.newline)
  }

  /// Puts the collected rows behind the old ones, under the new header, with empty cells in the `added` columns.
  private mutating func rewrite(adding added: Int) throws(LogFileError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw LogFileError("examine", path: path, errno: errno) }
    if status.st_size == 0, !isHeaderWritten {
      buffer = padded(buffer, adding: added)
      return
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw LogFileError("add a column to", path: path, reason: "it is not a regular file and cannot be rewritten")
    }
    let replaced = try LogFile.replace(path, with: padded(try LogFile.read(path) + buffer, adding: added))
    LogFile.close(descriptor)
    descriptor = replaced
    buffer.removeAll(keepingCapacity: true)
    bufferedRows = 0
  }

  /// Returns a file's content with the present header and `added` empty cells at the end of every row.
  private func padded(_ old: [UInt8], adding added: Int) -> [UInt8] {
    let start = CSVText.firstRecord(of: old)?.end ?? 0
    var new: [UInt8] = []
    new.reserveCapacity(max(old.count + old.count / 8 + 256, 16 * 1024))
    appendHeader(to: &new)
    for byte in old[start...] {
      if byte == CSVText.newline { new.append(contentsOf: repeatElement(CSVText.comma, count: added)) }
      new.append(byte)
    }
    return new
  }

  /// Writes the collected rows; when that fails, the file is cut back to its last whole line.
  mutating func flush() throws(LogFileError) {
    guard descriptor >= 0, !buffer.isEmpty else { return }
    let (count, code) = buffer.withUnsafeBytes { LogFile.write($0, to: descriptor) }
    if count > 0 { isHeaderWritten = true }
    guard code != 0 else {
      buffer.removeAll(keepingCapacity: true)
      bufferedRows = 0
      return
    }
    let whole = (buffer[..<count].lastIndex(of: CSVText.newline) ?? -1) + 1
    var status = stat()
    if count > whole, fstat(descriptor, &status) == 0 { ftruncate(descriptor, status.st_size - (count - whole)) }
    bufferedRows -= min(bufferedRows, buffer[..<whole].count { $0 == CSVText.newline })
    buffer.removeSubrange(..<whole)
    throw LogFileError("write", path: path, errno: code)
  }

  mutating func close() throws(LogFileError) {
    guard descriptor >= 0 else { return }
    defer {
      LogFile.close(descriptor)
      descriptor = -1
    }
    try flush()
  }
}

internal import Stratagem

/// The file of a `JSONLLogger` while it is being written.
struct JSONLFile {
  private let directory: String
  private let path: String
  private let previousPath: String
  private let flushSeconds: Double
  private let existing: ExistingLogFile
  private var file: AppendedFile?
  /// The names that occurred, in quotes.
  private var keys: [String: [UInt8]] = [:]

  init(_ directory: String, _ name: String, flushSeconds: Double, existing: ExistingLogFile) {
    self.directory = directory
    path = LogFile.join(directory, name)
    previousPath = LogFile.join(directory, "previous-" + name)
    self.flushSeconds = flushSeconds
    self.existing = existing
  }

  /// Begins a file, or goes on with the one that is there.
  mutating func start(resumingAt step: Int?) throws(LogFileError) {
    try LogFile.makeDirectories(directory)
    if let step, try LogFile.kind(of: path) == .regular {
      try file?.close(JSONLText.wholeLength)
      file = nil
      file = AppendedFile(path: path, descriptor: try continued(at: step))
    } else if file == nil {
      file = AppendedFile(path: path, descriptor: try LogFile.begin(path, existing, previous: previousPath))
    }
  }

  /// Opens the file of an earlier run without the lines that will be logged again.
  private func continued(at step: Int) throws(LogFileError) -> Int32 {
    let opened = try LogFile.openForAppending(path)
    do throws(LogFileError) {
      let old = try LogFile.read(path)
      let kept = try lines(of: old, before: step)
      guard kept.count < old.count else { return opened }
      let replaced = try LogFile.replace(path, with: kept)
      LogFile.close(opened)
      return replaced
    } catch {
      LogFile.close(opened)
      throw error
    }
  }

  private func lines(of old: [UInt8], before step: Int) throws(LogFileError) -> [UInt8] {
    var kept: [UInt8] = []
    kept.reserveCapacity(old.count)
    var (start, number) = (0, 0)
    while let end = old[start...].firstIndex(of: JSONLText.newline) {
      number += 1
      guard let found = JSONLText.step(of: old[start..<end]) else {
        throw LogFileError(
          "continue", path: path,
          reason: "line \(number) does not begin with epoch, step and time; mend the line or move the file away")
      }
      if found < step { kept.append(contentsOf: old[start...end]) }
      start = end + 1
    }
    return kept
  }

  mutating func log(_ row: LoggedRow) throws(LogFileError) {
    for (index, (name, _)) in row.values.enumerated() {
      if JSONLText.reserved.contains(name) {
        throw refusal("a metric may not be named '\(name)': every line has a member of that name")
      }
      if row.values[..<index].contains(where: { $0.name == name }) {
        throw refusal("the metric '\(name)' occurs twice in the row of epoch \(row.epoch), step \(row.step)")
      }
    }
    try open()
    JSONLText.appendHead(epoch: row.epoch, step: row.step, time: row.time, to: &file!.buffer)
    for (name, value) in row.values { JSONLText.append(key(name), value, to: &file!.buffer) }
    try finishLine()
  }

  mutating func logText(_ name: String, _ text: String, epoch: Int, step: Int) throws(LogFileError) {
    if JSONLText.reserved.contains(name) {
      throw refusal("a text may not be named '\(name)': every line has a member of that name")
    }
    try open()
    JSONLText.appendHead(epoch: epoch, step: step, time: LoggedRow.now, to: &file!.buffer)
    JSONLText.append(", \(JSONLine.quoted(name)): \(JSONLine.quoted(text))", to: &file!.buffer)
    try finishLine()
  }

  mutating func flush() throws(LogFileError) {
    try file?.reopen()
    try file?.flush(JSONLText.wholeLength)
  }

  mutating func close() throws(LogFileError) { try file?.close(JSONLText.wholeLength) }

  private mutating func open() throws(LogFileError) {
    if file == nil { try start(resumingAt: nil) } else { try file!.reopen() }
  }

  private mutating func finishLine() throws(LogFileError) {
    JSONLText.appendEnd(to: &file!.buffer)
    if file!.isDue(after: flushSeconds) { try flush() }
  }

  private mutating func key(_ name: String) -> [UInt8] {
    if let known = keys[name] { return known }
    let key = Array(JSONLine.quoted(name).utf8)
    keys[name] = key
    return key
  }

  private func refusal(_ reason: String) -> LogFileError { LogFileError("log to", path: path, reason: reason) }
}

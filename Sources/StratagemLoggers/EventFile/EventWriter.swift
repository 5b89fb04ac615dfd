internal import Stratagem

/// The event file of a `TensorBoardLogger` while it is being written.
struct EventWriter {
  private let folder: EventFolder
  private let flushSeconds: Double
  private let existing: ExistingLogFile
  private var file: AppendedFile?
  private var hasHyperParameters = false

  init(_ directory: String, flushSeconds: Double, existing: ExistingLogFile) {
    folder = EventFolder(path: directory)
    self.flushSeconds = flushSeconds
    self.existing = existing
  }

  /// The path of the event file; nil before the first event.
  var path: String? { file?.path }

  /// Begins a file, or goes on with the one that is there.
  mutating func start(resumingAt step: Int?) throws(LogFileError) {
    let time = LoggedRow.now
    if file == nil {
      try LogFile.makeDirectories(folder.path)
      if step == nil { try folder.clear(existing) }
      let made = try folder.makeFile(time: time)
      file = AppendedFile(path: made.path, descriptor: made.descriptor)
      append(EventMessage.fileVersion(time: time))
    }
    if let step { append(EventMessage.sessionStart(step: step, time: time)) }
    // Whoever watches the folder sees the run now.
    try flush()
  }

  mutating func log(_ row: LoggedRow) throws(LogFileError) {
    try open()
    RecordFraming.append(to: &file!.buffer) { EventMessage.append(row, to: &$0) }
    if file!.isDue(after: flushSeconds) { try flush() }
  }

  mutating func log(_ message: ProtobufMessage) throws(LogFileError) {
    try open()
    append(message)
    if file!.isDue(after: flushSeconds) { try flush() }
  }

  mutating func logHyperParameters(_ parameters: [(name: String, value: String)]) throws(LogFileError) {
    try log(HyperParameterMessage.start(parameters, time: LoggedRow.now))
    hasHyperParameters = true
  }

  mutating func flush() throws(LogFileError) {
    try file?.reopen()
    try file?.flush(RecordFraming.wholeLength)
  }

  mutating func finalize(_ status: LoggerStatus) throws(LogFileError) {
    guard file != nil else { return }
    if hasHyperParameters { try log(HyperParameterMessage.end(status, time: LoggedRow.now)) }
    try file?.close(RecordFraming.wholeLength)
  }

  mutating func close() {
    try? file?.close(RecordFraming.wholeLength)
  }

  private mutating func open() throws(LogFileError) {
    if file == nil { try start(resumingAt: nil) } else { try file!.reopen() }
  }

  private mutating func append(_ message: ProtobufMessage) {
    RecordFraming.append(to: &file!.buffer) { $0.append(contentsOf: message.bytes) }
  }
}

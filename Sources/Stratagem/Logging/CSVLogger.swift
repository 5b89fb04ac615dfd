import Synchronization

/// Writes metrics to `metrics.csv`, one row per step, in digits enough to restore every float exactly.
///
/// ```
/// epoch,step,train/loss,val/loss
/// 0,0,2.3040824,
/// 0,45,0.41877964,
/// 0,45,,0.39105305
/// ```
///
/// The columns are `epoch`, `step` and then the metrics in the order of their first appearance. A metric that appears
/// later adds a column: the file is rewritten under a temporary name, with empty cells in the old rows, and takes the
/// old one's place in one step. As in PyTorch Lightning, values logged in different calls stand in different rows even
/// when epoch and step are equal. NaN and the infinities are written `nan`, `inf` and `-inf`.
///
/// Rows are collected in memory and written every `flushInterval` rows, at `flush()` and at the end; the file ends
/// with a whole line after each of these. A row of three values costs about a quarter of a microsecond. Only one run at a time may write a
/// file; a second one gets an error.
///
/// Nothing is touched before `start(resumingAt:)` or the first row, so every rank may make the logger.
public final class CSVLogger: MetricLogger {
  /// The folder, made when it is absent.
  public let directory: String
  /// The name of the file in the folder.
  public let fileName: String
  /// Rows after which the collected rows are written.
  public let flushInterval: Int
  /// What happens to the file of an older run when this one does not resume it.
  public let existing: ExistingLogFile

  private let file: Mutex<CSVFile>

  /// Makes a logger.
  ///
  /// - Parameters:
  ///   - directory: the folder to write to; it is made at the start of the run.
  ///   - fileName: the name of the metrics file.
  ///   - flushInterval: rows after which the collected rows are written, at least 1.
  ///   - existing: what a new run does with an older run's file.
  public init(
    _ directory: String, fileName: String = "metrics.csv", flushInterval: Int = 100,
    existing: ExistingLogFile = .keepPrevious
  ) {
    precondition(flushInterval >= 1, "CSVLogger: flushInterval is \(flushInterval); it must be at least 1")
    self.directory = directory
    self.fileName = fileName
    self.flushInterval = flushInterval
    self.existing = existing
    self.file = Mutex(CSVFile(path: LogFile.join(directory, fileName), flushInterval: flushInterval))
  }

  deinit {
    file.withLock { try? $0.close() }
  }

  /// `csv`.
  public var name: String { "csv" }

  /// The folder.
  public var logDirectory: String? { directory }

  /// The path of the metrics file.
  public var path: String { LogFile.join(directory, fileName) }

  /// Opens the file: a new one, or the one of the run that is resumed.
  ///
  /// - Parameter step: rows of this and of later steps are removed from the file, earlier ones stay, and a last line
  ///   that a kill cut off is dropped. `nil` begins a new file; `existing` says what happens to an old one.
  /// - Throws: `LogFileError` when the folder or file cannot be made, when another run is writing the file, or when
  ///   the file to be continued was not written by this class.
  public func start(resumingAt step: Int?) throws {
    try file.withLock { try prepare(&$0, resumingAt: step) }
  }

  /// Writes the settings to `hparams.yaml` in the folder, replacing an older file of that name.
  ///
  /// Texts that YAML would not read back as they stand are quoted. Throws `LogFileError`.
  public func logHyperParameters(_ parameters: [(name: String, value: String)]) throws {
    var text = ""
    for (name, value) in parameters {
      text += "\(HyperParameterText.scalar(name)): \(HyperParameterText.scalar(value))\n"
    }
    try LogFile.makeDirectories(directory)
    LogFile.close(try LogFile.replace(LogFile.join(directory, "hparams.yaml"), with: Array(text.utf8)))
  }

  /// Adds a row.
  ///
  /// - Throws: `LogFileError` when the file cannot be written: the rows stay in memory and the next row or flush
  ///   tries again, except for a row whose new column could not be added. Also when a metric is named `epoch` or
  ///   `step` or occurs twice in the row, which is then left out.
  public func log(_ row: LoggedRow) throws {
    try file.withLock {
      if !$0.isStarted { try prepare(&$0, resumingAt: nil) }
      try $0.append(row)
    }
  }

  /// Writes the collected rows. Throws `LogFileError`.
  public func flush() throws {
    try file.withLock { try $0.flush() }
  }

  /// Writes the collected rows and closes the file; a later row appends to it. Throws `LogFileError`.
  public func finalize(status: LoggerStatus) throws {
    try file.withLock { try $0.close() }
  }

  private func prepare(_ file: inout CSVFile, resumingAt step: Int?) throws(LogFileError) {
    guard !file.isStarted else {
      if let step { try file.resume(at: step) }
      return
    }
    try LogFile.makeDirectories(directory)
    let kind = try LogFile.kind(of: path)
    if let step, kind == .regular {
      try file.resume(at: step)
    } else if kind == .regular {
      try file.create(existing, previous: LogFile.join(directory, "previous-" + fileName))
    } else {
      try file.create(.replace, previous: "")
    }
  }
}

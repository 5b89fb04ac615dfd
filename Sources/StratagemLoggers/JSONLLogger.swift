public import Stratagem
internal import Synchronization

/// Writes metrics as `metrics.jsonl`: an object of JSON per line and row, for programs that read while training runs.
///
/// ```
/// {"epoch": 0, "step": 0, "time": 1766838723.482911, "train/loss": 2.3040824}
/// {"epoch": 0, "step": 45, "time": 1766838724.019322, "val/loss": 0.39105305, "val/accuracy": 0.89}
/// ```
///
/// `time` is in seconds since 1970. Numbers carry the digits that restore them exactly; NaN and infinities, which JSON
/// does not know, become `null`. Lines are collected in memory and written when there are 64 KiB of them, when the last
/// write is `flushSeconds` ago, at `flush()` and at the end; the file ends with a whole line after each of these. Only
/// one run at a time may write a file; a second one gets an error. Histograms are left out.
///
/// Nothing is touched before `start(resumingAt:)` or the first row, so every rank may make the logger.
public final class JSONLLogger: MetricLogger {
  /// The folder, made when it is absent.
  public let directory: String
  /// The name of the file in the folder.
  public let fileName: String

  private let file: Mutex<JSONLFile>

  /// Makes a logger.
  ///
  /// - Parameters:
  ///   - directory: the folder to write to; it is made at the start of the run.
  ///   - fileName: the name of the file.
  ///   - flushSeconds: seconds after which collected lines are written; 0 writes every line at once.
  ///   - existing: what a new run does with an older run's file.
  public init(
    _ directory: String, fileName: String = "metrics.jsonl", flushSeconds: Double = 10,
    existing: ExistingLogFile = .keepPrevious
  ) {
    precondition(flushSeconds >= 0, "JSONLLogger: flushSeconds is \(flushSeconds); it must be at least 0")
    self.directory = directory
    self.fileName = fileName
    file = Mutex(JSONLFile(directory, fileName, flushSeconds: flushSeconds, existing: existing))
  }

  deinit {
    file.withLock { try? $0.close() }
  }

  /// `jsonl`.
  public var name: String { "jsonl" }

  /// The folder.
  public var logDirectory: String? { directory }

  /// The path of the file.
  public var path: String { LogFile.join(directory, fileName) }

  /// Opens the file: a new one, or the one of the run that is resumed.
  ///
  /// - Parameter step: lines of this and of later steps are removed, earlier ones stay, and a last line that a kill cut
  ///   off is dropped. `nil` begins a new file.
  /// - Throws: `LogFileError` when the folder or file cannot be made, when another run is writing the file, or when
  ///   the file to be continued was not written by this class.
  public func start(resumingAt step: Int?) throws {
    try file.withLock { try $0.start(resumingAt: step) }
  }

  /// Writes the settings to `hparams.json` in the folder, replacing an older file of that name. Throws `LogFileError`.
  public func logHyperParameters(_ parameters: [(name: String, value: String)]) throws {
    let line = JSONLine.text(parameters.map { (name: $0.name, value: JSONScalar.string($0.value)) }) + "\n"
    try LogFile.makeDirectories(directory)
    LogFile.close(try LogFile.replace(LogFile.join(directory, "hparams.json"), with: Array(line.utf8)))
  }

  /// Adds a line.
  ///
  /// - Throws: `LogFileError` when the file cannot be written: the lines stay in memory and the next write tries again.
  ///   Also when a metric is named `epoch`, `step` or `time` or occurs twice in the row, which is then left out.
  public func log(_ row: LoggedRow) throws {
    try file.withLock { try $0.log(row) }
  }

  /// Adds a line with the text under its name. Throws `LogFileError`.
  public func logText(_ name: String, _ text: String, epoch: Int, step: Int) throws {
    try file.withLock { try $0.logText(name, text, epoch: epoch, step: step) }
  }

  /// Writes the collected lines. Throws `LogFileError`.
  public func flush() throws {
    try file.withLock { try $0.flush() }
  }

  /// Writes the collected lines and closes the file; a later row appends to it. Throws `LogFileError`.
  public func finalize(status: LoggerStatus) throws {
    try file.withLock { try $0.close() }
  }
}

public import Stratagem
internal import Synchronization

/// Writes metrics as event files, which TensorBoard shows.
///
/// ```swift
/// let trainer = try Trainer(loggers: [TensorBoardLogger("runs/first"), CSVLogger("runs/first")])
/// ```
///
/// `tensorboard --logdir runs` then shows every folder of `runs` as a run. Every row becomes an event with its values
/// and the epoch as scalars; TensorBoard keeps scalars as float32. Hyper-parameters appear on the page of that name.
///
/// Events are collected in memory and written when there are 64 KiB of them, when the last write is `flushSeconds` ago,
/// at `flush()` and at the end: a killed process leaves everything up to its last write. A resumed run writes a further
/// file into the folder, which tells TensorBoard from which step on it replaces the older ones.
///
/// Nothing is touched before `start(resumingAt:)` or the first event, so every rank may make the logger.
public final class TensorBoardLogger: MetricLogger {
  /// The folder, made when it is absent.
  public let directory: String
  /// Seconds after which collected events are written.
  public let flushSeconds: Double

  private let writer: Mutex<EventWriter>

  /// Makes a logger.
  ///
  /// - Parameters:
  ///   - directory: the folder to write to; one of its own for each run.
  ///   - flushSeconds: seconds after which collected events are written; 0 writes every event at once.
  ///   - existing: what a new run does with the event files of an older one; they are kept in the folder `previous`,
  ///     which TensorBoard shows as a run of its own.
  public init(_ directory: String, flushSeconds: Double = 10, existing: ExistingLogFile = .keepPrevious) {
    precondition(flushSeconds >= 0, "TensorBoardLogger: flushSeconds is \(flushSeconds); it must be at least 0")
    self.directory = directory
    self.flushSeconds = flushSeconds
    writer = Mutex(EventWriter(directory, flushSeconds: flushSeconds, existing: existing))
  }

  deinit {
    writer.withLock { $0.close() }
  }

  /// `tensorboard`.
  public var name: String { "tensorboard" }

  /// The folder.
  public var logDirectory: String? { directory }

  /// The path of the event file; nil before the start.
  public var path: String? { writer.withLock { $0.path } }

  /// Makes the event file.
  ///
  /// - Parameter step: TensorBoard forgets what older files of the folder say of this and of later steps. `nil` begins
  ///   a new run.
  /// - Throws: `LogFileError` when folder or file cannot be made, or when another run is writing to the folder.
  public func start(resumingAt step: Int?) throws {
    try writer.withLock { try $0.start(resumingAt: step) }
  }

  /// Records the settings for the page of hyper-parameters. Throws `LogFileError`.
  public func logHyperParameters(_ parameters: [(name: String, value: String)]) throws {
    try writer.withLock { try $0.logHyperParameters(parameters) }
  }

  /// Adds the epoch and the values of a row as scalars.
  ///
  /// - Throws: `LogFileError` when the file cannot be written; the events stay in memory and the next write tries again.
  public func log(_ row: LoggedRow) throws {
    try writer.withLock { try $0.log(row) }
  }

  /// Adds a text, which may be Markdown, under the tag `NAME/text_summary`. Throws `LogFileError`.
  public func logText(_ name: String, _ text: String, epoch: Int, step: Int) throws {
    try writer.withLock { try $0.log(EventMessage.text(name, text, step: step, time: LoggedRow.now)) }
  }

  /// Adds a histogram. Throws `LogFileError`.
  public func logHistogram(_ name: String, _ histogram: Histogram, epoch: Int, step: Int) throws {
    try writer.withLock { try $0.log(EventMessage.histogram(name, histogram, step: step, time: LoggedRow.now)) }
  }

  /// Writes the collected events. Throws `LogFileError`.
  public func flush() throws {
    try writer.withLock { try $0.flush() }
  }

  /// Records how the run ended, writes the collected events and closes the file; a later event is appended to it.
  public func finalize(status: LoggerStatus) throws {
    try writer.withLock { try $0.finalize(status) }
  }
}

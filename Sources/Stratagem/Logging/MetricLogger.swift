/// A destination for the metrics of a run.
///
/// The trainer calls a logger on global rank 0 only, from the thread that runs the loop:
///
/// ```
/// start(resumingAt:)            once per fit, validate or test, before the first row
///   logHyperParameters(_:)      once, when there are any
///   log(_:) log(_:) ...         a training row per step, a validation row per validation
///   logText, logHistogram       when the module logs any
///   flush()                     at the end of every epoch and before a checkpoint is written
/// finalize(status:)             once, also after an error
/// ```
///
/// Making a logger must not touch its destination, because every rank makes one.
public protocol MetricLogger: AnyObject, Sendable {
  /// A short name for messages and for the `callbacks` part of checkpoints, such as `csv`.
  var name: String { get }

  /// The folder that receives this logger's files; `nil` when it writes none.
  var logDirectory: String? { get }

  /// Prepares the destination.
  ///
  /// - Parameter step: the number of optimizer steps already done when a run continues from a checkpoint: what was
  ///   logged for earlier steps stays, later rows are dropped because they will be logged again. `nil` for a new run.
  func start(resumingAt step: Int?) throws

  /// Records the settings of the run, as names and texts in the order to be shown.
  func logHyperParameters(_ parameters: [(name: String, value: String)]) throws

  /// Records one row; two calls with the same epoch and step make two rows.
  func log(_ row: LoggedRow) throws

  /// Records a text, such as a sample that the model generated.
  func logText(_ name: String, _ text: String, epoch: Int, step: Int) throws

  /// Records how values are distributed, such as those of a weight.
  func logHistogram(_ name: String, _ histogram: Histogram, epoch: Int, step: Int) throws

  /// Brings everything logged so far to its destination.
  func flush() throws

  /// Flushes and releases the destination; a later `log` appends to it.
  func finalize(status: LoggerStatus) throws
}

extension MetricLogger {
  /// Does nothing.
  public func start(resumingAt step: Int?) throws {}

  /// Does nothing.
  public func logHyperParameters(_ parameters: [(name: String, value: String)]) throws {}

  /// Does nothing: not every destination has room for texts.
  public func logText(_ name: String, _ text: String, epoch: Int, step: Int) throws {}

  /// Does nothing: not every destination has room for histograms.
  public func logHistogram(_ name: String, _ histogram: Histogram, epoch: Int, step: Int) throws {}

  /// Does nothing.
  public func flush() throws {}

  /// Flushes.
  public func finalize(status: LoggerStatus) throws {
    try flush()
  }
}

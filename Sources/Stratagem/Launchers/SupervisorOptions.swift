/// The times of supervision, in seconds, and where the output of workers goes.
public struct SupervisorOptions: Sendable {
  /// How long after the first sign of failure other signs are collected before the cause is chosen.
  public var collectionWindow = 0.15
  /// How long a worker that reported its error may take to end, so that the run ends with its status.
  public var endingTime = 0.5
  /// How long rank 0 may take to notice a failure before the process is ended for it.
  public var reactionTime = 2.0
  /// How long the end of rank 0 waits for workers that are still running.
  public var exitTimeout = 10.0
  /// After how long that wait is explained on standard error.
  public var exitNotice = 2.0
  /// Receives the lines that workers print; `nil` writes them to this process's own output behind a tag.
  public var outputHandler: (@Sendable (WorkerOutputLine) -> Void)?

  /// What a worker prints when its output is to be shown from then on; nil shows all of it.
  var beginningOfOutput: String?
  /// Whether a worker has to report that it has done its work, and may end then, while one that ends without has failed.
  var expectsReports = false
  /// A socket on which each worker tells its process id, and a newline, before its program begins.
  var announcement: Int32?

  /// Makes the usual options.
  public init() {}
}

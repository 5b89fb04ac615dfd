/// How the run that a logger recorded came to its end.
public enum LoggerStatus: String, Sendable {
  /// The run reached its end.
  case success
  /// The run was stopped by the user or by a signal, at a step boundary.
  case interrupted
  /// The run ended with an error.
  case failed
}

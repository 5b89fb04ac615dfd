/// What a new run does with the file that an older run left in its place.
public enum ExistingLogFile: Sendable {
  /// Keeps it under another name, such as `previous-metrics.csv`, in place of an older file of that name.
  case keepPrevious
  /// Overwrites it.
  case replace
  /// Ends with an error.
  case refuse
}

/// Says why a saved state does not fit a learning-rate schedule, naming every mismatch at once.
public struct ScheduleStateError: Error, Sendable, CustomStringConvertible {
  /// The type of the schedule that refused the state, such as `StepLR`.
  public let schedule: String
  /// One sentence per mismatch.
  public let problems: [String]

  public var description: String {
    "the saved state does not fit this \(schedule); nothing was loaded: " + problems.joined(separator: "; ")
  }
}

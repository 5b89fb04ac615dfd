import CProcess

/// How long to wait for what others have to do on the same machine.
///
/// Unlike a ``Deadline`` it counts only time in which this process ran: when the machine or the process was stopped, the
/// others were, too, or can have done more than was looked at yet. To be asked at least once per `longestStep`.
struct Patience {
  /// The most that counts between two questions, in seconds.
  static let longestStep = 0.05

  private var left: Double
  private var last = cp_now()

  init(_ seconds: Double) { left = seconds }

  /// Counts the time since the last question, and tells whether nothing is left.
  mutating func isOver() -> Bool {
    let now = cp_now()
    left -= min(Double(now - last) * 1e-9, Self.longestStep)
    last = now
    return left <= 0
  }

  /// Until the next question, rounded up, as `poll` takes it.
  var milliseconds: Int32 { Int32((min(max(left, 0.001), Self.longestStep) * 1000).rounded(.up)) }
}

import CProcess

/// A moment of the monotonic clock.
struct Deadline: Comparable {
  private let nanoseconds: UInt64

  /// The moment `seconds` from now; infinite waits are cut at a century.
  init(after seconds: Double) {
    nanoseconds = cp_now() + UInt64(min(max(0, seconds), 3e9) * 1e9)
  }

  static func < (left: Deadline, right: Deadline) -> Bool { left.nanoseconds < right.nanoseconds }

  var hasPassed: Bool { cp_now() >= nanoseconds }

  /// What is left, in seconds.
  var seconds: Double {
    let now = cp_now()
    return nanoseconds > now ? Double(nanoseconds - now) * 1e-9 : 0
  }

  /// What is left, rounded up, as `poll` takes it.
  var milliseconds: Int32 {
    let now = cp_now()
    guard nanoseconds > now else { return 0 }
    return Int32(min((nanoseconds - now + 999_999) / 1_000_000, 60_000))
  }
}

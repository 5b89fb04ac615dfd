import Glibc

/// The identity of a run, made once by its first process and the same on all ranks.
///
/// Names of output folders made from it agree on all ranks, although every rank runs the whole program.
public enum RunID {
  /// Returns the identity in `STRATAGEM_RUN_ID`, or a new one.
  public static func resolve(_ environment: [String: String]) -> String {
    if let given = environment[WorkerVariable.runID], !given.isEmpty { return given }
    return own
  }

  /// Made once: the trainer names folders by it before the launcher hands it to the workers.
  private static let own = make()

  /// Makes an identity from the time in UTC and the process, such as `20260131-094512-4711`.
  static func make(at seconds: Int = Glibc.time(nil), process: Int32 = getpid()) -> String {
    var moment = seconds
    var parts = tm()
    gmtime_r(&moment, &parts)
    func padded(_ value: Int32, _ width: Int = 2) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let date = padded(parts.tm_year + 1900, 4) + padded(parts.tm_mon + 1) + padded(parts.tm_mday)
    let time = padded(parts.tm_hour) + padded(parts.tm_min) + padded(parts.tm_sec)
    return "\(date)-\(time)-\(process)"
  }
}

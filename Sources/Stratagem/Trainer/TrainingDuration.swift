/// How long to train, or how often to do something: in epochs, optimizer steps, samples or seconds.
///
/// ```swift
/// Trainer(until: .epochs(5))
/// Trainer(until: .steps(10_000))
/// try TrainingDuration(parsing: "90m")   // .time(5400)
/// ```
public enum TrainingDuration: Hashable, Sendable {
  /// Passes over the training data.
  case epochs(Int)
  /// Optimizer steps, over all epochs.
  case steps(Int)
  /// Training samples seen by all ranks together.
  case samples(Int)
  /// Seconds of wall clock.
  case time(Double)

  /// A span of wall clock in seconds.
  public static func seconds(_ seconds: Double) -> TrainingDuration { .time(seconds) }

  /// A span of wall clock in minutes.
  public static func minutes(_ minutes: Double) -> TrainingDuration { .time(minutes * 60) }

  /// A span of wall clock in hours.
  public static func hours(_ hours: Double) -> TrainingDuration { .time(hours * 3600) }

  /// Reads a duration such as `5ep`, `100st`, `50_000sp`, `90s`, `30m`, `2h`, `1d` or `00:12:30:00` (days to seconds).
  ///
  /// - Throws: `ConfigurationError` that shows what may be written.
  public init(parsing text: String, parameter: String = "until") throws(ConfigurationError) {
    let written = text.filter { !$0.isWhitespace }.lowercased()
    guard let duration = Self.clock(written) ?? Self.counted(written) else {
      throw ConfigurationError(
        parameter, "\(parameter): '\(text)' is not a duration",
        suggestion: "write a number and its unit: 5ep (epochs), 100st (steps), 5000sp (samples), 90s, 30m, 2h, 1d, "
          + "or days, hours, minutes and seconds as 00:12:30:00")
    }
    self = duration
  }

  /// Whether a run that went as far as told has reached this duration.
  ///
  /// - Parameters:
  ///   - epochs: Completed epochs.
  ///   - steps: Completed optimizer steps.
  ///   - samples: Samples seen by all ranks.
  ///   - seconds: Seconds since the start of training.
  public func isReached(epochs: Int, steps: Int, samples: Int, seconds: Double) -> Bool {
    switch self {
    case .epochs(let limit): epochs >= limit
    case .steps(let limit): steps >= limit
    case .samples(let limit): samples >= limit
    case .time(let limit): seconds >= limit
    }
  }

  /// Whether the amount makes sense: zero or more, and finite.
  var isValid: Bool {
    switch self {
    case .epochs(let amount), .steps(let amount), .samples(let amount): amount >= 0
    case .time(let seconds): seconds >= 0 && seconds.isFinite
    }
  }

  private static func counted(_ text: String) -> TrainingDuration? {
    let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "_") }.filter { $0 != "_" }
    let unit = text.drop { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "_") }
    switch unit {
    case "ep": return Int(number).map(epochs)
    case "st": return Int(number).map(steps)
    case "sp": return Int(number).map(samples)
    case "s": return Double(number).map(time)
    case "m": return Double(number).map { .time($0 * 60) }
    case "h": return Double(number).map { .time($0 * 3600) }
    case "d": return Double(number).map { .time($0 * 86400) }
    default: return nil
    }
  }

  private static func clock(_ text: String) -> TrainingDuration? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 4, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isNumber } }) else {
      return nil
    }
    let numbers = parts.compactMap { Double($0) }
    guard numbers.count == 4 else { return nil }
    return .time(((numbers[0] * 24 + numbers[1]) * 60 + numbers[2]) * 60 + numbers[3])
  }
}

extension TrainingDuration: CustomStringConvertible {
  /// The form that `init(parsing:)` reads back: `5ep`, `100st`, `5000sp`, `90s`.
  public var description: String {
    switch self {
    case .epochs(let amount): "\(amount)ep"
    case .steps(let amount): "\(amount)st"
    case .samples(let amount): "\(amount)sp"
    case .time(let seconds): (Int(exactly: seconds).map { "\($0)" } ?? "\(seconds)") + "s"
    }
  }
}

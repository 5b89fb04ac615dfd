/// How much of a loader to use: all of it, a number of batches, or a fraction.
///
/// A whole number means batches and a number with a point means a fraction, so `1` is one batch and `1.0` everything:
///
/// ```swift
/// let few: Limit = 10
/// let quarter: Limit = 0.25
/// ```
public enum Limit: Hashable, Sendable {
  /// The whole loader.
  case all
  /// At most this many batches; 0 leaves the loader out.
  case batches(Int)
  /// This share of the batches, in 0...1, rounded down; 0 leaves the loader out.
  case fraction(Double)

  /// Reads `all`, a number of batches such as `10`, a fraction such as `0.25`, or a percentage such as `25%`.
  ///
  /// - Throws: `ConfigurationError` when it is none of these or out of range.
  public init(parsing text: String, parameter: String = "limit") throws(ConfigurationError) {
    let written = text.filter { !$0.isWhitespace }.lowercased()
    let limit: Limit? =
      if written == "all" { .all } else if let count = Int(written) { .batches(count) } else if written.hasSuffix("%") {
        Double(written.dropLast()).map { .fraction($0 / 100) }
      } else { Double(written).map(Limit.fraction) }
    guard let limit else {
      throw ConfigurationError(
        parameter, "\(parameter): '\(text)' is not a limit",
        suggestion: "write all, a number of batches such as 10, or a fraction such as 0.25")
    }
    if let problem = limit.problem(of: parameter) { throw ConfigurationError([problem])! }
    self = limit
  }

  /// Returns how many batches of a loader to use; `nil` means until it ends.
  ///
  /// - Parameters:
  ///   - length: The number of batches in the loader, or `nil` when it does not know.
  ///   - parameter: The argument to name in an error.
  /// - Throws: `ConfigurationError` when the limit is out of range, when a fraction of the loader is less than one batch,
  ///   or when a fraction is asked of a loader without a length.
  public func count(of length: Int?, parameter: String = "limit") throws(ConfigurationError) -> Int? {
    if let problem = problem(of: parameter) { throw ConfigurationError([problem])! }
    switch self {
    case .all: return length
    case .batches(let count): return length.map { min($0, count) } ?? count
    case .fraction(0): return 0
    case .fraction(1): return length
    case .fraction(let fraction):
      guard let length else {
        throw ConfigurationError(
          parameter, "\(parameter): \(fraction) is a fraction of a loader that does not know its length",
          suggestion: "write a number of batches, or 1.0 for all of them")
      }
      let count = Int(Double(length) * fraction)
      if count == 0 && length > 0 {
        throw ConfigurationError(
          parameter,
          "\(parameter): \(fraction) of \(length) \(length == 1 ? "batch" : "batches") is less than one batch",
          suggestion: "write at least \(Self.shortest(toReachOneOf: length)), or a number of batches such as 1")
      }
      return count
    }
  }

  /// What is wrong with the value itself, whatever the loader.
  func problem(of parameter: String) -> ConfigurationError.Problem? {
    switch self {
    case .batches(let count) where count < 0:
      .init(parameter, "\(parameter): \(count) batches is negative", suggestion: "write 0 or more, or 1.0 for all")
    case .fraction(let fraction) where !(0...1).contains(fraction):
      .init(
        parameter, "\(parameter): the fraction \(fraction) is not in 0.0...1.0",
        suggestion: "write a fraction in that range, or a whole number for a number of batches")
    default: nil
    }
  }

  /// Returns the fraction with the fewest decimals that makes one batch of `length`.
  private static func shortest(toReachOneOf length: Int) -> Double {
    var scale = 10.0
    while true {
      let fraction = (scale / Double(length)).rounded(.up) / scale
      if fraction <= 1 && Int(Double(length) * fraction) == 1 { return fraction }
      scale *= 10
      if scale > 1e15 { return 1 }
    }
  }
}

extension Limit: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral {
  public init(integerLiteral value: Int) { self = .batches(value) }
  public init(floatLiteral value: Double) { self = .fraction(value) }
}

extension Limit: CustomStringConvertible {
  public var description: String {
    switch self {
    case .all: "all"
    case .batches(let count): "\(count)"
    case .fraction(let fraction): "\(fraction)"
    }
  }
}

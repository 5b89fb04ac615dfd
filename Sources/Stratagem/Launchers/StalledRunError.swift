/// A run that ended because ranks waited for each other too long.
public struct StalledRunError: Error, Sendable, CustomStringConvertible {
  /// How long a collective may take, in seconds.
  public let seconds: Double
  /// A line for each rank: where it waited, or that it did not answer.
  public let report: String
  /// The error of the collective that failed.
  public let cause: String

  public var description: String {
    "a rank waited for the others longer than the timeout of \(seconds.formatted) s:\n\(report)\n(\(cause))"
  }
}

extension Double {
  /// Without decimals where there are none.
  var formatted: String { self == rounded() && abs(self) < 1e15 ? "\(Int(self))" : "\(self)" }
}

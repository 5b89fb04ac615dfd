/// How the values of several batches and ranks become one.
public enum MetricReduction: String, Sendable, Hashable, Codable, CaseIterable {
  /// The mean, weighted by samples.
  case mean
  /// The sum.
  case sum
  /// The smallest value; NaN when one is NaN.
  case min
  /// The largest value; NaN when one is NaN.
  case max
}

extension MetricReduction {
  /// A value that, without weight, changes none of the others'.
  var neutral: MetricNumber {
    switch self {
    case .mean: .double(.nan)
    case .sum: .double(0)
    case .min: .double(.infinity)
    case .max: .double(-.infinity)
    }
  }
}

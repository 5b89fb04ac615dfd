public import Torch

/// How many values lie where: buckets of equal width from the smallest value to the largest.
public struct Histogram: Sendable, Hashable {
  /// The smallest value.
  public let minimum: Double
  /// The largest value.
  public let maximum: Double
  /// The number of values.
  public let count: Int
  /// The sum of the values.
  public let sum: Double
  /// The sum of the squares of the values.
  public let sumOfSquares: Double
  /// The upper end of each bucket, rising; the last is `maximum`.
  public let limits: [Double]
  /// The number of values in each bucket.
  public let counts: [Int]

  /// Counts the finite elements of a tensor; NaN and infinities are left out.
  ///
  /// - Parameter buckets: the number of buckets, at least 1.
  /// - Returns: nil when no element is finite.
  /// - Throws: `TorchError` for a poisoned tensor.
  public init?(_ tensor: Tensor, buckets: Int = 64) throws {
    let values = try withErrorScope {
      try tensor.detached().to(.cpu).to(.float64).array(as: Double.self)
    }
    self.init(values, buckets: buckets)
  }

  /// Counts the finite ones of some numbers.
  ///
  /// - Parameter buckets: the number of buckets, at least 1.
  /// - Returns: nil when no number is finite.
  public init?(_ values: [Double], buckets: Int = 64) {
    precondition(buckets > 0, "Histogram: \(buckets) buckets; there must be at least 1")
    var (minimum, maximum) = (Double.infinity, -Double.infinity)
    var (count, sum, sumOfSquares) = (0, 0.0, 0.0)
    for value in values where value.isFinite {
      minimum = Swift.min(minimum, value)
      maximum = Swift.max(maximum, value)
      count += 1
      sum += value
      sumOfSquares += value * value
    }
    guard count > 0 else { return nil }
    // Halves, so that the width of the widest range is a finite number.
    let halfWidth = maximum / 2 - minimum / 2
    let used = halfWidth > 0 ? buckets : 1
    var counts = [Int](repeating: 0, count: used)
    for value in values where value.isFinite {
      let place = halfWidth > 0 ? (value / 2 - minimum / 2) / halfWidth : 0
      counts[Swift.min(Int(place * Double(used)), used - 1)] += 1
    }
    self.minimum = minimum
    self.maximum = maximum
    self.count = count
    self.sum = sum
    self.sumOfSquares = sumOfSquares
    self.counts = counts
    limits = (1...used).map { $0 == used ? maximum : minimum + halfWidth * (2 * Double($0) / Double(used)) }
  }
}

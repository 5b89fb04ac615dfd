/// What a ``Metric`` gathers: numbers, and how those of several ranks become one.
public struct MetricState: Sendable, Hashable {
  /// Numbers that are added up.
  public var sums: [Double]
  /// Numbers of which the smallest stays; `Double.infinity` where there is none yet.
  public var minima: [Double]
  /// Numbers of which the largest stays; `-Double.infinity` where there is none yet.
  public var maxima: [Double]

  /// Makes a state.
  public init(sums: [Double] = [], minima: [Double] = [], maxima: [Double] = []) {
    self.sums = sums
    self.minima = minima
    self.maxima = maxima
  }

  /// Takes in what another place has gathered.
  ///
  /// - Parameter other: a state of as many numbers.
  public mutating func merge(_ other: MetricState) {
    precondition(
      sums.count == other.sums.count && minima.count == other.minima.count && maxima.count == other.maxima.count,
      "states of different metrics cannot be merged")
    for index in sums.indices { sums[index] += other.sums[index] }
    for index in minima.indices { minima[index] = Swift.min(minima[index], other.minima[index]) }
    for index in maxima.indices { maxima[index] = Swift.max(maxima[index], other.maxima[index]) }
  }
}

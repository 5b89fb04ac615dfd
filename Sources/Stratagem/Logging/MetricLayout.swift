/// What crosses the ranks for a metric of an epoch: the same on all of them.
struct MetricLayout: Codable, Equatable {
  let name: String
  let options: LogOptions
  let isMetric: Bool
  let sums: Int
  let minima: Int
  let maxima: Int

  init(_ entry: MetricEntry) {
    let state = entry.state
    name = entry.name
    options = entry.options
    isMetric = entry.metric != nil || entry.pending != nil
    sums = state.sums.count
    minima = state.minima.count
    maxima = state.maxima.count
  }

  /// A state without values.
  var emptyState: MetricState {
    MetricState(
      sums: Array(repeating: 0, count: sums), minima: Array(repeating: .infinity, count: minima),
      maxima: Array(repeating: -.infinity, count: maxima))
  }
}

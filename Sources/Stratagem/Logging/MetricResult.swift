/// A metric of an epoch, over all ranks.
struct MetricResult {
  let name: String
  /// The name in the loggers and the progress bar.
  let epochName: String
  let value: Double
  let progressBar: Bool
  let logger: Bool
}

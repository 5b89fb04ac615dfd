/// How a metric is logged; the same in every call for a name.
struct LogOptions: Equatable, Codable {
  /// What the call asked for; nil for the custom of the place it is called from.
  var targets: LogTargets?
  var reduction = MetricReduction.mean
  var progressBar = false
  var logger = true
  var acrossRanks = true
  var rankZeroOnly = false
  var addsLoaderIndex = true

  /// The arguments in which two calls differ, as they are written.
  func differences(from other: LogOptions) -> (own: String, other: String) {
    let pairs = zip(arguments, other.arguments).filter { $0 != $1 }
    return (own: pairs.map(\.0).joined(separator: ", "), other: pairs.map(\.1).joined(separator: ", "))
  }

  private var arguments: [String] {
    let names = [(LogTargets.step, ".step"), (.epoch, ".epoch")].filter { (targets ?? []).contains($0.0) }.map(\.1)
    return [
      "on: [\(names.joined(separator: ", "))]", "reduce: .\(reduction)", "progressBar: \(progressBar)",
      "logger: \(logger)", "acrossRanks: \(acrossRanks)", "rankZeroOnly: \(rankZeroOnly)",
      "addLoaderIndex: \(addsLoaderIndex)",
    ]
  }
}

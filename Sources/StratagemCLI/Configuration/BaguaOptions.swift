internal import OrderedCollections
internal import Stratagem

/// The options of `bagua` as settings: those of the strategy, and those of its algorithm by Bagua's names.
///
/// ```yaml
/// strategy: {name: bagua, algorithm: decentralized, peer_selection_mode: shift_one, communication_interval: 2}
/// ```
struct BaguaOptions {
  private var algorithm = "gradient_allreduce"
  private var flatten = true
  private var bucketMegabytes: Double?
  private var timeout = 1800.0
  private var startMethod = StartMethod.relaunch
  private var processGroupBackend = BackendChoice.auto
  private var others: [String: StrategyOption] = [:]
  private var problems: [ConfigurationError.Problem] = []

  /// - Throws: `ConfigurationError` for values that an option cannot take.
  init(_ options: ConfigNode.Map) throws(ConfigurationError) {
    for (name, node) in options {
      let place = { (remark: String) in
        let path = "trainer.strategy.\(name)"
        return ConfigurationError.Problem(path, "\(node.origin.prefix)\(path) is '\(node)'; \(remark)")
      }
      guard let scalar = node.scalar else {
        problems.append(place("accepted: a single value"))
        continue
      }
      if let problem = take(name, scalar).map(place) { problems.append(problem) }
    }
    if let error = ConfigurationError(problems) { throw error }
  }

  /// Takes over an option; returns what is wrong with it.
  private mutating func take(_ name: String, _ scalar: ConfigScalar) -> String? {
    switch name {
    case "algorithm": algorithm = scalar.text
    case "flatten":
      guard let value = scalar.bool else { return "accepted: true or false" }
      flatten = value
    case "bucketMegabytes":
      guard let value = scalar.double, value > 0, value.isFinite else { return "give a number above 0" }
      bucketMegabytes = value
    case "timeout":
      guard let value = scalar.double, value > 0, value.isFinite else { return "give a number above 0" }
      timeout = value
    case "startMethod":
      guard let value = StartMethod(rawValue: scalar.text) else {
        return "accepted: " + StartMethod.allCases.map(\.rawValue).joined(separator: ", ")
      }
      startMethod = value
    case "processGroupBackend":
      guard let value = BackendChoice(rawValue: scalar.text.lowercased()) else {
        return "accepted: " + BackendChoice.allCases.map(\.rawValue).joined(separator: ", ")
      }
      processGroupBackend = value
    default:
      if let number = scalar.integer(Int.self) {
        others[name] = .number(number)
      } else {
        others[name] = scalar.bool.map { StrategyOption.flag($0) } ?? .text(scalar.text)
      }
    }
    return nil
  }

  /// - Throws: `ConfigurationError` for an algorithm, or an option of it, that is not known.
  func strategy() throws(ConfigurationError) -> BaguaStrategy {
    try BaguaStrategy(
      algorithm: algorithm, others, flatten: flatten, bucketMegabytes: bucketMegabytes, timeout: timeout,
      startMethod: startMethod, processGroupBackend: processGroupBackend.backend)
  }
}

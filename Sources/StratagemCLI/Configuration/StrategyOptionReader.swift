internal import OrderedCollections
internal import Stratagem

/// Reads the options of a strategy over its usual ones, and collects what is wrong with them.
struct StrategyOptionReader<Options: Codable> {
  let value: Options
  private let options: ConfigNode.Map
  private let origin: ConfigOrigin
  private var problems: [ConfigurationError.Problem]

  /// - Parameter origin: where the strategy is named, for options that no line gives.
  init(_ options: ConfigNode.Map, over usual: Options, _ origin: ConfigOrigin) throws {
    let defaults = try ConfigEncoder.encode(usual)
    let path = ["trainer", "strategy"]
    var merge = ConfigMerge(defaults, path: path)
    merge.add(ConfigNode(content: .map(options), origin: origin))
    let (value, problems) = try ConfigDecoder.decode(Options.self, from: merge.root, defaults: defaults, path: path)
    self.value = value
    self.options = options
    self.origin = origin
    self.problems = merge.problems + problems
  }

  /// - Parameter message: what follows the place and the name of the option, such as `is 0; give a number above 0`.
  mutating func report(_ name: String, _ message: String) {
    let prefix = (options[name]?.origin ?? origin).prefix
    problems.append(.init("trainer.strategy.\(name)", "\(prefix)trainer.strategy.\(name) \(message)"))
  }

  /// Reports the numbers that are not above 0; nil is for what was left out.
  mutating func requirePositive(_ numbers: [(String, Double?)]) {
    for case (let name, let number?) in numbers where !(number > 0 && number.isFinite) {
      report(name, "is \(number); give a number above 0")
    }
  }

  /// The options.
  ///
  /// - Throws: ``ConfigurationError`` with all problems.
  func result() throws -> Options {
    if let error = ConfigurationError(problems) { throw error }
    return value
  }
}

/// Reads the options of an algorithm that is made by name, and remembers what is wrong with them.
struct BaguaOptionReader {
  private let algorithm: String
  private var options: [String: StrategyOption]
  private var known: [String] = []
  private var problems: [ConfigurationError.Problem] = []

  init(_ algorithm: String, _ options: [String: StrategyOption]) {
    self.algorithm = algorithm
    self.options = options
  }

  mutating func flag(_ name: String, _ usual: Bool) -> Bool {
    switch take(name) {
    case nil: return usual
    case .flag(let value)?: return value
    case let other?:
      refuse(name, other, "give true or false")
      return usual
    }
  }

  mutating func number(_ name: String, _ usual: Int) -> Int {
    switch take(name) {
    case nil: return usual
    case .number(let value)?: return value
    case let other?:
      refuse(name, other, "give a whole number")
      return usual
    }
  }

  mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(_ name: String, _ usual: Choice) -> Choice {
    guard let option = take(name) else { return usual }
    if case .text(let text) = option, let choice = Choice(rawValue: text) { return choice }
    let known = Choice.allCases.map(\.rawValue)
    let nearest = NearestName.suggestion(for: "\(option)", among: known).map { "did you mean '\($0)'? " } ?? ""
    refuse(name, option, nearest + "known: " + known.joined(separator: ", "))
    return usual
  }

  mutating func report(_ message: String, _ suggestion: String) {
    problems.append(.init("algorithm", message, suggestion: suggestion))
  }

  private mutating func take(_ name: String) -> StrategyOption? {
    known.append(name)
    return options.removeValue(forKey: name)
  }

  private mutating func refuse(_ name: String, _ option: StrategyOption, _ suggestion: String) {
    report("\(name) of algorithm '\(algorithm)' is '\(option)'", suggestion)
  }

  /// Throws everything that was wrong, options that nobody asked for among it.
  func check() throws(ConfigurationError) {
    let unknown = options.keys.sorted().map { name in
      let nearest = NearestName.suggestion(for: name, among: known).map { "did you mean '\($0)'? " } ?? ""
      return ConfigurationError.Problem(
        "algorithm", "algorithm '\(algorithm)' has no option '\(name)'",
        suggestion: nearest + "it has: " + known.joined(separator: ", "))
    }
    if let error = ConfigurationError(problems + unknown) { throw error }
  }
}

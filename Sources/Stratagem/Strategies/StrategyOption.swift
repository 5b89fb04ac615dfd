/// The value of an option that an alias presets or a strategy was made with.
public enum StrategyOption: Hashable, Sendable {
  case flag(Bool)
  case number(Int)
  case text(String)
}

extension StrategyOption: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
  public init(booleanLiteral value: Bool) { self = .flag(value) }
  public init(integerLiteral value: Int) { self = .number(value) }
  public init(stringLiteral value: String) { self = .text(value) }
}

extension StrategyOption: CustomStringConvertible {
  public var description: String {
    switch self {
    case .flag(let value): "\(value)"
    case .number(let value): "\(value)"
    case .text(let value): value
    }
  }
}

extension [String: StrategyOption] {
  /// The options in alphabetical order, such as `findUnusedParameters: true, stage: 2`.
  var list: String { sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ") }
}

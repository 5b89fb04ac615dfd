/// A name that may be written for a strategy, and what it stands for.
public struct StrategyAlias: Hashable, Sendable {
  /// Whether an alias can be used.
  public enum Availability: Hashable, Sendable {
    /// It works.
    case available
    /// Its strategy belongs to the plan of the library but not to this version.
    case planned
    /// It is no strategy although the name is in use elsewhere; `instead` says what to write.
    case rejected(instead: String)
  }

  /// The name as written.
  public var name: String

  /// The strategy it stands for.
  public var canonical: String

  /// The options it presets.
  public var presets: [String: StrategyOption]

  /// One line for lists.
  public var summary: String

  /// Whether it can be used.
  public var availability: Availability

  /// Returns the alias of a name, whatever its case.
  public static func named(_ name: String) -> StrategyAlias? { byName[name.lowercased()] }

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  init(
    _ name: String, _ canonical: String? = nil, _ presets: [String: StrategyOption] = [:], _ summary: String,
    _ availability: Availability = .planned
  ) {
    self.name = name
    self.canonical = canonical ?? name
    self.presets = presets
    self.summary = summary
    self.availability = availability
  }
}

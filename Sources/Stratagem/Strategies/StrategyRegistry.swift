import Synchronization

/// The strategies that can be chosen by name.
///
/// Names are not case-sensitive. Register one of your own before the trainer is made:
///
/// ```swift
/// try StrategyRegistry.shared.register("ddp_half", summary: "DDP, bfloat16 gradients") {
///   DDPStrategy(hook: HalfWidthGradients())
/// }
/// let trainer = try Trainer(strategy: "ddp_half", devices: 2)
/// ```
public final class StrategyRegistry: Sendable {
  /// Makes a strategy; called once for every run that uses it, and once for its description.
  public typealias Factory = @Sendable () -> any StrategyDescribing

  /// A strategy under a name.
  public struct Entry: Sendable {
    /// The name, in lower case.
    public let name: String

    /// One line for lists.
    public let summary: String

    /// Makes the strategy.
    public let make: Factory

    /// Creates an entry.
    public init(_ name: String, summary: String? = nil, make: @escaping Factory) {
      self.name = name.lowercased()
      self.summary = summary ?? StrategyAlias.named(name)?.summary ?? ""
      self.make = make
    }
  }

  /// The registry that trainers use unless they are given another.
  public static let shared = StrategyRegistry(builtIn)

  private let entries: Mutex<[String: Entry]>

  /// Creates a registry of these strategies; of two with the same name the later one counts.
  public init(_ entries: [Entry] = []) {
    self.entries = Mutex(Dictionary(entries.map { ($0.name, $0) }) { _, later in later })
  }

  /// The registered names in alphabetical order.
  public var names: [String] { entries.withLock { $0.keys.sorted() } }

  /// Registers a strategy under a name.
  ///
  /// - Parameters:
  ///   - name: The name; any name but `auto`, made of anything but spaces and commas.
  ///   - summary: One line for lists.
  ///   - replacing: Whether a strategy that has the name already gives way.
  ///   - make: Makes the strategy; must be cheap, because it is also called for its description.
  /// - Throws: `ConfigurationError` when the name is taken, reserved or malformed.
  public func register(
    _ name: String, summary: String, replacing: Bool = false, make: @escaping Factory
  ) throws(ConfigurationError) {
    let entry = Entry(name, summary: summary, make: make)
    if entry.name.isEmpty || entry.name.contains(where: { $0.isWhitespace || $0 == "," }) {
      throw ConfigurationError(
        "strategy", "'\(name)' cannot be the name of a strategy",
        suggestion: "use letters, digits and underscores")
    }
    if entry.name == "auto" {
      throw ConfigurationError(
        "strategy", "the name 'auto' is reserved for the choice by hardware", suggestion: "register under another name")
    }
    let taken = entries.withLock { entries in
      if !replacing && entries[entry.name] != nil { return true }
      entries[entry.name] = entry
      return false
    }
    if taken {
      throw ConfigurationError(
        "strategy", "a strategy named '\(entry.name)' is registered already",
        suggestion: "register under another name, or pass replacing: true")
    }
  }

  /// Removes a strategy and returns whether there was one of that name.
  @discardableResult
  public func remove(_ name: String) -> Bool {
    entries.withLock { $0.removeValue(forKey: name.lowercased()) != nil }
  }

  /// Returns the entry of a name.
  ///
  /// - Throws: `ConfigurationError` when there is none: whether the name is known but not part of this version, and the
  ///   registered names, nearest first.
  public func entry(of name: String) throws(ConfigurationError) -> Entry {
    if let entry = entries.withLock({ $0[name.lowercased()] }) { return entry }
    throw ConfigurationError([problem(for: name)])!
  }

  /// Returns what the strategy of a name is and needs.
  public func description(of name: String) throws(ConfigurationError) -> StrategyDescription {
    try entry(of: name).make().strategyDescription
  }

  /// Makes the strategy of a name.
  public func make(_ name: String) throws(ConfigurationError) -> any StrategyDescribing {
    try entry(of: name).make()
  }

  private func problem(for name: String) -> ConfigurationError.Problem {
    let available = ["auto"] + names
    if let alias = StrategyAlias.named(name) {
      let list = "available now: " + available.joined(separator: ", ")
      if case .rejected(let instead) = alias.availability {
        return .init("strategy", "'\(name)' is not a valid strategy", suggestion: instead)
      }
      return .init("strategy", "strategy '\(name)' is known but not part of this version yet", suggestion: list)
    }
    let known = Set(available + StrategyAlias.all.map(\.name))
    var hint = ""
    if let nearest = NearestName.suggestion(for: name, among: known) {
      hint = "did you mean '\(nearest)'\(available.contains(nearest) ? "" : " (not part of this version yet)")? "
    }
    return .init(
      "strategy", "no strategy named '\(name)'",
      suggestion: hint + "known: " + NearestName.ranked(name, among: available).joined(separator: ", "))
  }
}

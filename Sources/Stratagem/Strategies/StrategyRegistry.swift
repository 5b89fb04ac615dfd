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

    /// Whether this version can run the strategy; if not, it can only be planned with.
    public let isAvailable: Bool

    let make: Factory

    /// Creates an entry.
    public init(_ name: String, summary: String? = nil, make: @escaping Factory) {
      self.name = name.lowercased()
      self.summary = summary ?? StrategyAlias.named(name)?.summary ?? ""
      self.make = make
      isAvailable = true
    }

    /// Creates the entry of a strategy that can only be planned with.
    init(planned alias: StrategyAlias) {
      name = alias.name
      summary = alias.summary
      make = { PlannedStrategy(alias) }
      isAvailable = false
    }
  }

  /// The registry that trainers use unless they are given another.
  public static let shared = StrategyRegistry(builtIn)

  private let registered: Mutex<[String: Entry]>

  /// Creates a registry of these strategies; of two with the same name the later one counts.
  public init(_ entries: [Entry] = []) {
    registered = Mutex(Dictionary(entries.map { ($0.name, $0) }) { _, later in later })
  }

  /// All entries in alphabetical order, those that can only be planned with among them.
  public var entries: [Entry] { registered.withLock { $0.values.sorted { $0.name < $1.name } } }

  /// The names of all entries in alphabetical order.
  public var names: [String] { entries.map(\.name) }

  /// The names of the strategies that can be run, in alphabetical order.
  public var availableNames: [String] { entries.filter(\.isAvailable).map(\.name) }

  /// Registers a strategy under a name.
  ///
  /// - Parameters:
  ///   - name: The name; any name but `auto`, made of anything but spaces and commas.
  ///   - summary: One line for lists.
  ///   - replacing: Whether a strategy that has the name already gives way; one that can only be planned with always
  ///     does.
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
    let taken = registered.withLock { entries in
      if !replacing && entries[entry.name]?.isAvailable == true { return true }
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
    registered.withLock { $0.removeValue(forKey: name.lowercased()) != nil }
  }

  /// Returns the entry of a name.
  ///
  /// - Throws: `ConfigurationError` when there is none: what to write instead, or the registered names, nearest first.
  public func entry(of name: String) throws(ConfigurationError) -> Entry {
    if let entry = registered.withLock({ $0[name.lowercased()] }) { return entry }
    throw ConfigurationError([problem(for: name)])!
  }

  /// Returns what the strategy of a name is and needs.
  public func description(of name: String) throws(ConfigurationError) -> StrategyDescription {
    try entry(of: name).make().strategyDescription
  }

  /// Makes the strategy of a name.
  ///
  /// - Throws: `ConfigurationError` when there is none, or only a description because this version cannot run it.
  public func make(_ name: String) throws(ConfigurationError) -> any StrategyDescribing {
    let entry = try entry(of: name)
    guard entry.isAvailable else {
      throw ConfigurationError(
        "strategy", "strategy '\(entry.name)' is known but not part of this version yet",
        suggestion: "available now: " + shortNames.joined(separator: ", "))
    }
    return entry.make()
  }

  /// What can be written, for messages: names that only preset an option are left out.
  private var shortNames: [String] {
    ["auto"] + availableNames.filter { StrategyAlias.named($0)?.presets["findUnusedParameters"] == nil }
  }

  private func problem(for name: String) -> ConfigurationError.Problem {
    if let alias = StrategyAlias.named(name), case .rejected(let instead) = alias.availability {
      return .init("strategy", "'\(name)' is not a valid strategy", suggestion: instead)
    }
    let available = Set(["auto"] + availableNames)
    var hint = ""
    if let nearest = NearestName.suggestion(for: name, among: ["auto"] + names) {
      hint = "did you mean '\(nearest)'\(available.contains(nearest) ? "" : " (not part of this version yet)")? "
    }
    return .init(
      "strategy", "no strategy named '\(name)'",
      suggestion: hint + "known: " + NearestName.ranked(name, among: shortNames).joined(separator: ", "))
  }
}

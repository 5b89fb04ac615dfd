/// Something that says how to distribute a run: a name, a case or a strategy object.
///
/// ```swift
/// Trainer(strategy: .ddp)
/// Trainer(strategy: "ddp")
/// Trainer(strategy: .ddp(findUnusedParameters: true))
/// Trainer(strategy: MyStrategy())
/// ```
///
/// Extend this protocol with a static member to give a strategy of your own the leading-dot spelling.
public protocol StrategyConvertible {
  /// What was meant.
  var strategyReference: StrategyReference { get }
}

/// A strategy as the user gave it.
public enum StrategyReference {
  /// By the name under which it is registered, as written.
  case named(String)
  /// As an object.
  case instance(any StrategyDescribing)
}

extension StrategyReference {
  /// Returns the object that is meant, made by a registry when only its name was given.
  ///
  /// A strategy that wraps another one gets hold of the other by this:
  ///
  /// ```swift
  /// extension StrategyConvertible where Self == Announced {
  ///   static func announced(_ base: any StrategyConvertible) throws -> Announced {
  ///     Announced(try base.strategyReference.make())
  ///   }
  /// }
  /// ```
  ///
  /// - Throws: `ConfigurationError` as `StrategyRegistry.make(_:)`; `auto` is no strategy before a run is planned.
  public func make(registry: StrategyRegistry = .shared) throws(ConfigurationError) -> any StrategyDescribing {
    switch self {
    case .instance(let strategy): strategy
    case .named(let name): try registry.make(name)
    }
  }
}

/// The name of a strategy in the registry, or `auto`.
public struct StrategyName: RawRepresentable, Hashable, Sendable {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }
}

extension StrategyName: StrategyConvertible {
  public var strategyReference: StrategyReference { .named(rawValue) }
}

extension String: StrategyConvertible {
  public var strategyReference: StrategyReference { .named(self) }
}

extension StrategyConvertible where Self == StrategyName {
  /// One device: `single_device`; several devices or nodes: `ddp`.
  public static var auto: StrategyName { StrategyName(rawValue: "auto") }
  /// One process on one device.
  public static var singleDevice: StrategyName { StrategyName(rawValue: "single_device") }
  /// One process for each device, gradients averaged over all of them.
  public static var ddp: StrategyName { StrategyName(rawValue: "ddp") }
  /// `ddp` whose main process is not a rank and goes on afterwards.
  public static var ddpSpawn: StrategyName { StrategyName(rawValue: "ddp_spawn") }
  /// `ddp` whose processes are forked.
  public static var ddpFork: StrategyName { StrategyName(rawValue: "ddp_fork") }
  /// `ddp` for interactive sessions.
  public static var ddpNotebook: StrategyName { StrategyName(rawValue: "ddp_notebook") }
  /// One process, a replica of the model for each device.
  public static var dp: StrategyName { StrategyName(rawValue: "dp") }
  /// `dp` inside each node, `ddp` across nodes.
  public static var ddp2: StrategyName { StrategyName(rawValue: "ddp2") }
  /// ZeRO stage 2.
  public static var deepSpeed: StrategyName { StrategyName(rawValue: "deepspeed") }
}

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
}

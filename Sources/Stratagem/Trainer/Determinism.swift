/// Whether only operators with reproducible results may be used.
public enum Determinism: String, Sendable, CaseIterable {
  /// Any operator.
  case off
  /// An operator without a deterministic form fails.
  case on
  /// An operator without a deterministic form warns.
  case warn
}

extension Determinism: ExpressibleByBooleanLiteral {
  public init(booleanLiteral value: Bool) { self = value ? .on : .off }
}

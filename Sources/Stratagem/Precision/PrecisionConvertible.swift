/// Something that says in what precision to train: a name, a number of bits, a case or a precision plugin.
///
/// ```swift
/// Trainer(precision: .bfloat16Mixed)
/// Trainer(precision: "bf16-mixed")
/// Trainer(precision: 64)
/// ```
public protocol PrecisionConvertible {
  /// What was meant.
  var precisionReference: PrecisionReference { get }
}

/// A precision as the user gave it.
public enum PrecisionReference {
  /// Nothing was said; the strategy's own precision, or `32-true`.
  case unspecified
  /// By name, as written.
  case named(String)
  /// As a plugin.
  case instance(any PrecisionDescribing)
}

/// A precision plugin, as far as the plan of a run has to know it.
public protocol PrecisionDescribing: AnyObject {
  /// The format that it computes in.
  var precisionKind: PrecisionKind { get }
}

/// Leaves the precision to the strategy; without one of its own it is `32-true`.
public struct UnspecifiedPrecision: PrecisionConvertible, Hashable, Sendable {
  public init() {}
  public var precisionReference: PrecisionReference { .unspecified }
}

/// A precision with the leading-dot spelling.
public struct PrecisionName: PrecisionConvertible, Hashable, Sendable {
  /// The format.
  public let kind: PrecisionKind
  public var precisionReference: PrecisionReference { kind.precisionReference }
}

extension PrecisionKind: PrecisionConvertible {
  public var precisionReference: PrecisionReference { .named(rawValue) }
}

extension String: PrecisionConvertible {
  public var precisionReference: PrecisionReference { .named(self) }
}

extension Int: PrecisionConvertible {
  public var precisionReference: PrecisionReference { .named("\(self)") }
}

extension PrecisionConvertible where Self == UnspecifiedPrecision {
  /// The strategy's own precision, or `32-true`.
  public static var unspecified: UnspecifiedPrecision { UnspecifiedPrecision() }
}

extension PrecisionConvertible where Self == PrecisionName {
  /// Parameters and computation in float64.
  public static var float64: PrecisionName { PrecisionName(kind: .float64) }
  /// Parameters and computation in float32.
  public static var float32: PrecisionName { PrecisionName(kind: .float32) }
  /// Parameters in float32, computation in bfloat16 where autocast finds it safe.
  public static var bfloat16Mixed: PrecisionName { PrecisionName(kind: .bfloat16Mixed) }
  /// Parameters in float32, computation in float16 where autocast finds it safe, with a scaled loss.
  public static var float16Mixed: PrecisionName { PrecisionName(kind: .float16Mixed) }
  /// Parameters and computation in bfloat16.
  public static var bfloat16: PrecisionName { PrecisionName(kind: .bfloat16) }
  /// Parameters and computation in float16.
  public static var float16: PrecisionName { PrecisionName(kind: .float16) }
}

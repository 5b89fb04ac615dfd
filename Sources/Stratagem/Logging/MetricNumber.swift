/// A logged number together with the precision it was computed in.
///
/// The kind decides how the number is written: a float32 loss is printed with the shortest text that restores the
/// float32 exactly (`0.1`), not with the 17 digits of its widened double (`0.10000000149011612`).
public enum MetricNumber: Sendable, Hashable {
  /// A float32 value.
  case float(Float)
  /// A float64 value, or a count.
  case double(Double)

  /// The value as a double; exact for both kinds.
  @inlinable
  public var doubleValue: Double {
    switch self {
    case .float(let value): Double(value)
    case .double(let value): value
    }
  }

  /// Whether the value is neither infinite nor NaN.
  @inlinable
  public var isFinite: Bool { doubleValue.isFinite }
}

extension MetricNumber: CustomStringConvertible {
  /// The shortest decimal text that restores the value in its own precision; `nan`, `inf` and `-inf` otherwise.
  public var description: String {
    switch self {
    case .float(let value): value.isNaN ? "nan" : value.description
    case .double(let value): value.isNaN ? "nan" : value.description
    }
  }
}

extension MetricNumber: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
  /// Makes a double.
  public init(floatLiteral value: Double) {
    self = .double(value)
  }

  /// Makes a double.
  public init(integerLiteral value: Int) {
    self = .double(Double(value))
  }
}

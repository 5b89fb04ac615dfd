/// A value of a line of JSON.
public enum JSONScalar: Sendable, Hashable {
  /// A text.
  case string(String)
  /// An integer.
  case int(Int)
  /// A float64 number.
  case double(Double)
  /// A float32 number, written with the shortest text that restores it.
  case float(Float)
  /// `true` or `false`.
  case bool(Bool)
  /// `null`.
  case null

  /// Takes over a metric with its precision.
  public init(_ number: MetricNumber) {
    switch number {
    case .float(let value): self = .float(value)
    case .double(let value): self = .double(value)
    }
  }
}

extension JSONScalar: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral
{
  /// Makes a string.
  public init(stringLiteral value: String) { self = .string(value) }
  /// Makes an integer.
  public init(integerLiteral value: Int) { self = .int(value) }
  /// Makes a double.
  public init(floatLiteral value: Double) { self = .double(value) }
  /// Makes a boolean.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
}

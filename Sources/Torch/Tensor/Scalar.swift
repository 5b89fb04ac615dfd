internal import CTorch

/// A number as an argument of an operation; whole numbers keep the type of an integer tensor.
public struct Scalar: Sendable, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral {
  let raw: ct_scalar

  public init(_ value: Double) { raw = ct_scalar(kind: Int32(ct_scalar_double), floating: value, integer: 0) }
  public init(_ value: Float) { self.init(Double(value)) }
  public init(_ value: Int) { raw = ct_scalar(kind: Int32(ct_scalar_int), floating: 0, integer: value) }
  public init(_ value: Bool) { raw = ct_scalar(kind: Int32(ct_scalar_bool), floating: 0, integer: value ? 1 : 0) }
  public init(integerLiteral value: Int) { self.init(value) }
  public init(floatLiteral value: Double) { self.init(value) }
  public init(booleanLiteral value: Bool) { self.init(value) }

  static func raw(_ scalar: Scalar?) -> ct_scalar {
    scalar?.raw ?? ct_scalar(kind: Int32(ct_scalar_none), floating: 0, integer: 0)
  }
}

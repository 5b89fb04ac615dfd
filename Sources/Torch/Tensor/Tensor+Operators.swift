extension Tensor {
  public static func + (left: Tensor, right: Tensor) -> Tensor { Aten.add(left, other: right) }
  public static func + (left: Tensor, right: Scalar) -> Tensor { Aten.add(left, other: right) }
  public static func + (left: Scalar, right: Tensor) -> Tensor { Aten.add(right, other: left) }
  public static func - (left: Tensor, right: Tensor) -> Tensor { Aten.sub(left, other: right) }
  public static func - (left: Tensor, right: Scalar) -> Tensor { Aten.sub(left, other: right) }
  public static func - (left: Scalar, right: Tensor) -> Tensor { Aten.rsub(right, other: left) }
  public static func * (left: Tensor, right: Tensor) -> Tensor { Aten.mul(left, other: right) }
  public static func * (left: Tensor, right: Scalar) -> Tensor { Aten.mul(left, other: right) }
  public static func * (left: Scalar, right: Tensor) -> Tensor { Aten.mul(right, other: left) }
  public static func / (left: Tensor, right: Tensor) -> Tensor { Aten.div(left, other: right) }
  public static func / (left: Tensor, right: Scalar) -> Tensor { Aten.div(left, other: right) }
  public static func / (left: Scalar, right: Tensor) -> Tensor { Aten.mul(Aten.reciprocal(right), other: left) }
  public static func % (left: Tensor, right: Scalar) -> Tensor { Aten.remainder(left, other: right) }
  public static prefix func - (tensor: Tensor) -> Tensor { Aten.neg(tensor) }

  // Numbers held in variables; literals take the overloads above.
  @_disfavoredOverload public static func + (left: Tensor, right: Double) -> Tensor { left + Scalar(right) }
  @_disfavoredOverload public static func - (left: Tensor, right: Double) -> Tensor { left - Scalar(right) }
  @_disfavoredOverload public static func * (left: Tensor, right: Double) -> Tensor { left * Scalar(right) }
  @_disfavoredOverload public static func / (left: Tensor, right: Double) -> Tensor { left / Scalar(right) }
  @_disfavoredOverload public static func * (left: Double, right: Tensor) -> Tensor { Scalar(left) * right }
  @_disfavoredOverload public static func + (left: Double, right: Tensor) -> Tensor { Scalar(left) + right }
  @_disfavoredOverload public static func - (left: Double, right: Tensor) -> Tensor { Scalar(left) - right }

  @_disfavoredOverload public static func + (left: Tensor, right: Int) -> Tensor { left + Scalar(right) }
  @_disfavoredOverload public static func - (left: Tensor, right: Int) -> Tensor { left - Scalar(right) }
  @_disfavoredOverload public static func * (left: Tensor, right: Int) -> Tensor { left * Scalar(right) }
  @_disfavoredOverload public static func / (left: Tensor, right: Int) -> Tensor { left / Scalar(right) }

  public static func += (left: Tensor, right: Tensor) { left.add(right) }
  public static func -= (left: Tensor, right: Tensor) { left.add(right, scaledBy: -1) }
  public static func *= (left: Tensor, right: Tensor) { left.multiply(by: right) }

  // Element by element; the results are tensors of `bool`.
  public static func .== (left: Tensor, right: Tensor) -> Tensor { Aten.eq(left, other: right) }
  public static func .== (left: Tensor, right: Scalar) -> Tensor { Aten.eq(left, other: right) }
  public static func .!= (left: Tensor, right: Tensor) -> Tensor { Aten.ne(left, other: right) }
  public static func .!= (left: Tensor, right: Scalar) -> Tensor { Aten.ne(left, other: right) }
  public static func .< (left: Tensor, right: Tensor) -> Tensor { Aten.lt(left, other: right) }
  public static func .< (left: Tensor, right: Scalar) -> Tensor { Aten.lt(left, other: right) }
  public static func .<= (left: Tensor, right: Tensor) -> Tensor { Aten.le(left, other: right) }
  public static func .<= (left: Tensor, right: Scalar) -> Tensor { Aten.le(left, other: right) }
  public static func .> (left: Tensor, right: Tensor) -> Tensor { Aten.gt(left, other: right) }
  public static func .> (left: Tensor, right: Scalar) -> Tensor { Aten.gt(left, other: right) }
  public static func .>= (left: Tensor, right: Tensor) -> Tensor { Aten.ge(left, other: right) }
  public static func .>= (left: Tensor, right: Scalar) -> Tensor { Aten.ge(left, other: right) }
  public static func .& (left: Tensor, right: Tensor) -> Tensor { Aten.logical_and(left, other: right) }
  public static func .| (left: Tensor, right: Tensor) -> Tensor { Aten.logical_or(left, other: right) }
  public static prefix func .! (tensor: Tensor) -> Tensor { Aten.logical_not(tensor) }
}

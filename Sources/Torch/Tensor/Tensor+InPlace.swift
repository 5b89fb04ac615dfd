extension Tensor {
  /// `self += other * scale`
  public func add(_ other: Tensor, scaledBy scale: Scalar = 1) { Aten.add_(self, other: other, alpha: scale) }

  public func add(_ value: Scalar) { Aten.add_(self, other: value) }

  public func multiply(by other: Tensor) { Aten.mul_(self, other: other) }

  public func multiply(by value: Scalar) { Aten.mul_(self, other: value) }

  public func divide(by other: Tensor) { Aten.div_(self, other: other) }

  public func divide(by value: Scalar) { Aten.div_(self, other: value) }

  /// Copies the elements of `source`, converting type and device and broadcasting.
  public func copy(from source: Tensor) { Aten.copy_(self, src: source) }

  public func fill(_ value: Scalar) { Aten.fill_(self, value: value) }

  public func zero() { Aten.zero_(self) }

  public func clamp(_ range: ClosedRange<Double>) {
    Aten.clamp_(self, min: Scalar(range.lowerBound), max: Scalar(range.upperBound))
  }
}

extension Tensor {
  public func matmul(_ other: Tensor) -> Tensor { Aten.matmul(self, other: other) }
  public func exp() -> Tensor { Aten.exp(self) }
  public func log() -> Tensor { Aten.log(self) }
  public func sqrt() -> Tensor { Aten.sqrt(self) }
  public func square() -> Tensor { Aten.square(self) }
  public func abs() -> Tensor { Aten.abs(self) }
  public func sign() -> Tensor { Aten.sign(self) }
  public func sin() -> Tensor { Aten.sin(self) }
  public func cos() -> Tensor { Aten.cos(self) }
  public func floor() -> Tensor { Aten.floor(self) }
  public func ceil() -> Tensor { Aten.ceil(self) }
  public func rounded() -> Tensor { Aten.round(self) }
  public func reciprocal() -> Tensor { Aten.reciprocal(self) }
  public func pow(_ exponent: Scalar) -> Tensor { Aten.pow(self, exponent: exponent) }
  public func pow(_ exponent: Tensor) -> Tensor { Aten.pow(self, exponent: exponent) }
  public func relu() -> Tensor { Aten.relu(self) }
  public func tanh() -> Tensor { Aten.tanh(self) }
  public func sigmoid() -> Tensor { Aten.sigmoid(self) }
  public func gelu(approximateTanh: Bool = false) -> Tensor {
    Aten.gelu(self, approximate: approximateTanh ? "tanh" : "none")
  }
  public func silu() -> Tensor { Aten.silu(self) }
  public func softmax(dim: Int) -> Tensor { Aten.softmax(self, dim: dim) }
  public func logSoftmax(dim: Int) -> Tensor { Aten.log_softmax(self, dim: dim) }
  public func clamped(_ range: ClosedRange<Double>) -> Tensor {
    Aten.clamp(self, min: Scalar(range.lowerBound), max: Scalar(range.upperBound))
  }
  public func maskedFill(_ mask: Tensor, _ value: Scalar) -> Tensor {
    Aten.masked_fill(self, mask: mask, value: value)
  }
  /// Elements of `self` where `condition` holds, of `other` elsewhere.
  public func replacing(with other: Tensor, where condition: Tensor) -> Tensor {
    Aten.where(condition, self: other, other: self)
  }

  // Reductions
  public func sum() -> Tensor { Aten.sum(self) }
  public func sum(dim: Int..., keepDim: Bool = false) -> Tensor { Aten.sum(self, dim: dim, keepdim: keepDim) }
  public func mean() -> Tensor { Aten.mean(self) }
  public func mean(dim: Int..., keepDim: Bool = false) -> Tensor { Aten.mean(self, dim: dim, keepdim: keepDim) }
  public func max() -> Tensor { Aten.max(self) }
  public func min() -> Tensor { Aten.min(self) }
  public func max(dim: Int, keepDim: Bool = false) -> (values: Tensor, indices: Tensor) {
    let (values, indices) = Aten.max(self, dim: dim, keepdim: keepDim)
    return (values, indices)
  }
  public func min(dim: Int, keepDim: Bool = false) -> (values: Tensor, indices: Tensor) {
    let (values, indices) = Aten.min(self, dim: dim, keepdim: keepDim)
    return (values, indices)
  }
  public func argmax(dim: Int? = nil, keepDim: Bool = false) -> Tensor { Aten.argmax(self, dim: dim, keepdim: keepDim) }
  public func argmin(dim: Int? = nil, keepDim: Bool = false) -> Tensor { Aten.argmin(self, dim: dim, keepdim: keepDim) }
  /// The p-norm of all elements.
  public func norm(_ p: Scalar = 2) -> Tensor { Aten.linalg_vector_norm(self, ord: p) }
  /// The variance; divides by n - `correction`.
  public func variance(dim: Int..., correction: Int = 1, keepDim: Bool = false) -> Tensor {
    Aten.`var`(self, dim: dim, correction: Scalar(correction), keepdim: keepDim)
  }
  public func deviation(dim: Int..., correction: Int = 1, keepDim: Bool = false) -> Tensor {
    Aten.std(self, dim: dim, correction: Scalar(correction), keepdim: keepDim)
  }
  public func cumulativeSum(dim: Int) -> Tensor { Aten.cumsum(self, dim: dim) }
  public func all() -> Tensor { Aten.all(self) }
  public func any() -> Tensor { Aten.any(self) }
  public func isFinite() -> Tensor { Aten.isfinite(self) }
  public func isNaN() -> Tensor { Aten.isnan(self) }

  /// True when both have one shape and equal elements.
  public func equals(_ other: Tensor) -> Bool { Aten.equal(self, other: other) }

  /// True when every element satisfies |a - b| <= `absolute` + `relative` |b|.
  public func isClose(to other: Tensor, relative: Double = 1e-5, absolute: Double = 1e-8) -> Bool {
    Aten.allclose(self, other: other, rtol: relative, atol: absolute)
  }

  // Copies
  public func clone() -> Tensor { Aten.clone(self) }
  public func contiguous() -> Tensor { Aten.contiguous(self) }
  /// The same numbers without history.
  public func detached() -> Tensor { Aten.detach(self) }
  public func to(_ dtype: DType) -> Tensor { self.dtype == dtype ? self : Aten.to(self, dtype: dtype) }
  public func to(_ device: Device) -> Tensor {
    self.device == device ? self : Aten.to(self, device: device, dtype: dtype)
  }
}

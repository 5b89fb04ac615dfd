extension Tensor {
  /// The elements in another shape; one size may be -1. A view where the layout allows it.
  public func reshaped(_ shape: [Int]) -> Tensor { Aten.reshape(self, shape: shape) }

  public func reshaped(_ shape: Int...) -> Tensor { Aten.reshape(self, shape: shape) }

  /// A view in another shape; fails when the layout does not allow one.
  public func view(_ shape: [Int]) -> Tensor { Aten.view(self, size: shape) }

  /// The last two dimensions exchanged.
  public var transposed: Tensor { Aten.transpose(self, dim0: -2, dim1: -1) }

  public func transposed(_ first: Int, _ second: Int) -> Tensor { Aten.transpose(self, dim0: first, dim1: second) }

  public func permuted(_ dims: [Int]) -> Tensor { Aten.permute(self, dims: dims) }

  /// Without the dimensions of size one.
  public func squeezed() -> Tensor { Aten.squeeze(self) }

  public func squeezed(dim: Int) -> Tensor { Aten.squeeze(self, dim: dim) }

  public func unsqueezed(dim: Int) -> Tensor { Aten.unsqueeze(self, dim: dim) }

  public func flattened(from start: Int = 0, to end: Int = -1) -> Tensor {
    Aten.flatten(self, start_dim: start, end_dim: end)
  }

  public func unflattened(dim: Int, into sizes: [Int]) -> Tensor { Aten.unflatten(self, dim: dim, sizes: sizes) }

  /// A view in which dimensions of size one are repeated without copying.
  public func expanded(to shape: [Int]) -> Tensor { Aten.expand(self, size: shape) }

  public func repeated(_ times: [Int]) -> Tensor { Aten.repeat(self, repeats: times) }

  /// A view of `length` entries of dimension `dim`.
  public func narrowed(dim: Int, start: Int, length: Int) -> Tensor {
    Aten.narrow(self, dim: dim, start: start, length: length)
  }

  /// Entry `index` of dimension `dim`, which disappears.
  public func selected(dim: Int, index: Int) -> Tensor { Aten.select(self, dim: dim, index: index) }

  /// The entries of dimension `dim` that an int64 tensor names.
  public func indexSelected(dim: Int, _ indices: Tensor) -> Tensor {
    Aten.index_select(self, dim: dim, index: indices)
  }

  public func gathered(dim: Int, _ indices: Tensor) -> Tensor { Aten.gather(self, dim: dim, index: indices) }

  /// Views of `size` entries each along `dim`; the last may be shorter.
  public func split(_ size: Int, dim: Int = 0) -> [Tensor] { Aten.split(self, split_size: size, dim: dim) }

  /// At most `count` views of nearly equal size along `dim`.
  public func chunks(_ count: Int, dim: Int = 0) -> [Tensor] {
    // The result of a failed operation has as many parts, so that code goes on to where the error is thrown.
    isPoisoned ? Array(repeating: self, count: count) : Aten.chunk(self, chunks: count, dim: dim)
  }

  /// One view per entry of `dim`.
  public func unbound(dim: Int = 0) -> [Tensor] { Aten.unbind(self, dim: dim) }

  package func asStrided(size: [Int], stride: [Int], offset: Int) -> Tensor {
    Aten.as_strided(self, size: size, stride: stride, storage_offset: offset)
  }
}

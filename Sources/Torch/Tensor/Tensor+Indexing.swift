internal import CTorch

extension Tensor {
  /// Entries by position, range or tensor, as in PyTorch: `t[0]`, `t[1..<3, .all]`, `t[.ellipsis, -1]`, `t[mask]`.
  ///
  /// Reading gives a view, or a copy where a tensor indexes. Assigning copies into this tensor, broadcasting.
  public subscript(_ indices: any TensorIndexing...) -> Tensor {
    get {
      let (view, gathers) = resolve(indices)
      guard let gathers else { return view }
      let handle = ct_tensor_index(view.handle, gathers.map { $0?.handle }, gathers.count)
      withExtendedLifetime((view, gathers)) {}
      guard let handle else {
        return Failure("index").argument("self", self).argument("indices", gathers.compactMap { $0 }).record()
      }
      return Tensor(owning: handle)
    }
    set {
      let (view, gathers) = resolve(indices)
      guard let gathers else {
        view.copy(from: newValue)
        return
      }
      let succeeded = ct_tensor_index_put(
        view.handle, gathers.map { $0?.handle }, gathers.count, newValue.handle, false)
      withExtendedLifetime((view, gathers, newValue)) {}
      if !succeeded { Failure("index_put_").argument("self", self).argument("values", newValue).record() }
    }
  }

  /// Applies everything but indexing by tensors, which is returned by dimension.
  private func resolve(_ indices: [any TensorIndexing]) -> (view: Tensor, gathers: [Tensor?]?) {
    let terms = indices.map(\.tensorIndex.term)
    var consumed = 0
    for term in terms {
      switch term {
      case .element, .slice: consumed += 1
      case .gather(let tensor): consumed += tensor.dtype == .bool ? Swift.max(tensor.ndim, 1) : 1
      case .rest, .insertion: break
      }
    }
    var view = self
    var dim = 0
    var gathers: [Int: Tensor] = [:]
    for term in terms {
      switch term {
      case .element(let index):
        view = Aten.select(view, dim: dim, index: index)
      case .slice(let start, let end, let step):
        if start != nil || end != nil || step != 1 {
          view = Aten.slice(view, dim: dim, start: start, end: end, step: step)
        }
        dim += 1
      case .rest:
        dim += Swift.max(ndim - consumed, 0)
      case .insertion:
        view = Aten.unsqueeze(view, dim: dim)
        dim += 1
      case .gather(let tensor):
        gathers[dim] = tensor
        dim += tensor.dtype == .bool ? Swift.max(tensor.ndim, 1) : 1
      }
    }
    guard let last = gathers.keys.max() else { return (view, nil) }
    return (view, (0...last).map { gathers[$0] })
  }
}

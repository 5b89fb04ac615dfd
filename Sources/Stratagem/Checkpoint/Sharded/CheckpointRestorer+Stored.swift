internal import Torch

/// What goes from a checkpoint to disk, a part at a time.
extension CheckpointRestorer {
  /// The elements of a part that is read at a time.
  private static let partLength = 1 << 20

  /// Where a tensor that is not in memory is read from.
  func source(of wish: Wish) throws -> any TensorSource {
    guard let source = checkpoint.source, source.holds(wish.tensor) else {
      throw CheckpointError(
        path: path,
        reason:
          "a tensor of shape \(wish.tensor.shape) was computed from one whose values are still in the file; a hook "
          + "that computes with tensors has to read them with checkpoint.load(_:)")
    }
    return source
  }

  /// Reads parts of what is wanted, numbered from its beginning.
  func reader(of wish: Wish) throws -> IncomingState.Reader {
    let first = wish.range.lowerBound
    guard wish.tensor.device.kind == .meta else {
      let flat = wish.tensor.detached().flattened()
      return { range in flat.narrowed(dim: 0, start: first + range.lowerBound, length: range.count) }
    }
    let source = try source(of: wish)
    return { range in
      let request = TensorRequest(wish.tensor, first + range.lowerBound..<first + range.upperBound)
      try source.read([request])
      return request.target
    }
  }

  /// Reads what is wanted and compares its checksums.
  func verify(_ wish: Wish) throws {
    guard wish.tensor.device.kind == .meta else { return }
    let source = try source(of: wish)
    var memory: Tensor?
    for start in stride(from: wish.range.lowerBound, to: wish.range.upperBound, by: Self.partLength) {
      let range = start..<min(start + Self.partLength, wish.range.upperBound)
      let target = memory ?? .empty([range.count], dtype: wish.tensor.dtype)
      memory = target
      try source.read([
        TensorRequest(wish.tensor, range, into: target.narrowed(dim: 0, start: 0, length: range.count))
      ])
    }
  }
}

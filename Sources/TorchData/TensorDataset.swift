public import Torch

/// Samples that are the rows of tensors in memory: sample i is row i of each.
///
/// ```swift
/// let digits = TensorDataset(images, labels)        // [1797, 64] float32, [1797] int64
/// let batch = try digits.batch([0, 1, 2])           // [[3, 64], [3]]
/// ```
public struct TensorDataset: Dataset {
  /// The tensors; all have the same number of rows.
  public let tensors: [Tensor]
  public let count: Int

  /// Creates a dataset of the rows of `tensors`.
  public init(_ tensors: Tensor...) {
    self.init(tensors)
  }

  /// Creates a dataset of the rows of `tensors`.
  ///
  /// Tensors of different numbers of rows, or without dimensions, are recorded as a `TorchError`.
  public init(_ tensors: [Tensor]) {
    self.tensors = tensors
    let sizes = tensors.map { $0.shape.first ?? -1 }
    count = max(0, sizes.min() ?? 0)
    if tensors.isEmpty || sizes.contains(where: { $0 != sizes[0] || $0 < 0 }) {
      _ = Tensor.failed(
        operation: "TensorDataset",
        message: "the tensors have shapes \(tensors.map(\.shape)); give tensors with the same first dimension")
    }
  }

  public var isImmediate: Bool { true }

  /// The rows with these indices of each tensor.
  ///
  /// A run of successive indices costs no copy: the result is a view, through which in-place operations change the
  /// dataset.
  public func batch(_ indices: [Int]) throws -> [Tensor] {
    if let first = indices.first, indices.isSuccessive {
      return tensors.map { $0.rows(from: first, count: indices.count) }
    }
    let index = Tensor(indices)
    return tensors.map { Aten.index_select($0, dim: 0, index: index) }
  }
}

extension [Int] {
  /// Whether each element is one more than the one before.
  var isSuccessive: Bool {
    withUnsafeBufferPointer { values in
      var position = 1
      while position < values.count {
        if values[position] != values[position - 1] + 1 { return false }
        position += 1
      }
      return true
    }
  }
}

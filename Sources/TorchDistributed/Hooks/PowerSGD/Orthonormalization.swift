internal import Torch

extension Tensor {
  /// Makes the columns of each matrix orthonormal in place, by the modified Gram-Schmidt process: column i becomes its part
  /// that is orthogonal to the columns before, divided by its norm plus `epsilon`. A column of zeros stays one. With more
  /// than two columns `epsilon` does not count, as in PyTorch.
  ///
  /// - Precondition: the shape is [matrices, rows, columns], with at least as many rows as columns.
  func orthonormalizeColumns(epsilon: Double) {
    let columns = size(2)
    let epsilon = columns > 2 ? 0 : epsilon
    // What rounding leaves after one pass grows with the number of columns; a second pass removes it.
    for _ in 0..<(columns > 2 ? 2 : 1) {
      for index in 0..<columns {
        let column = narrowed(dim: 2, start: index, length: 1)
        let norm = Aten.linalg_vector_norm(column, ord: 2, dim: [1], keepdim: true)
        column.divide(by: epsilon > 0 ? norm + Scalar(epsilon) : norm.maskedFill(norm .== 0, 1))
        guard index + 1 < columns else { break }
        let rest = narrowed(dim: 2, start: index + 1, length: columns - index - 1)
        let shares = Aten.sum(column * rest, dim: [1], keepdim: true)
        rest.add(shares * column, scaledBy: -1)
      }
    }
  }
}

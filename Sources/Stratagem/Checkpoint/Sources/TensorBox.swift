/// A box of elements within a tensor.
struct TensorBox {
  /// Elements that follow each other in the tensor and in the box.
  struct Run: Equatable {
    /// The first one in the tensor, in row-major order.
    let start: Int
    /// The first one in the box.
    let offset: Int
    let count: Int
  }

  private let offsets: [Int]
  private let sizes: [Int]
  private let strides: [Int]
  let count: Int
  /// Dimensions from this one on are together in both.
  private let inner: Int

  /// Nil for a box that does not lie within the tensor, and for one with more elements than there can be.
  init?(offsets: [Int], sizes: [Int], in shape: [Int]) {
    guard offsets.count == shape.count, sizes.count == shape.count,
      shape.indices.allSatisfy({ offsets[$0] <= shape[$0] && sizes[$0] <= shape[$0] - offsets[$0] })
    else { return nil }
    var bound = 1
    for size in shape {
      let (product, overflow) = bound.multipliedReportingOverflow(by: max(size, 1))
      guard size >= 0, !overflow, product < Int.max / 16 else { return nil }
      bound = product
    }
    self.offsets = offsets
    self.sizes = sizes
    var strides = [Int](repeating: 1, count: shape.count)
    for dim in shape.indices.dropLast().reversed() { strides[dim] = strides[dim + 1] * shape[dim + 1] }
    self.strides = strides
    count = sizes.reduce(1, *)
    var inner = shape.count
    // The first dimension from the end that the box does not fill ends what is together.
    while inner > 0 {
      inner -= 1
      if sizes[inner] != shape[inner] { break }
    }
    self.inner = inner
  }

  /// The runs in ascending order.
  var runs: [Run] {
    guard count > 0 else { return [] }
    guard !sizes.isEmpty else { return [Run(start: 0, offset: 0, count: 1)] }
    let length = sizes[inner...].reduce(1, *)
    let base = zip(offsets, strides).reduce(0) { $0 + $1.0 * $1.1 }
    var index = [Int](repeating: 0, count: inner)
    var runs: [Run] = []
    runs.reserveCapacity(count / length)
    for number in 0..<count / length {
      let start = base + zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 }
      runs.append(Run(start: start, offset: number * length, count: length))
      for dim in (0..<inner).reversed() {
        index[dim] += 1
        if index[dim] < sizes[dim] { break }
        index[dim] = 0
      }
    }
    return runs
  }
}

/// Where the elements of a tensor lie in a storage, known to be free of overflow.
struct TensorLayout {
  let dtype: DType
  let offset: Int
  let shape: [Int]
  let strides: [Int]
  let elementCount: Int
  /// Elements that the storage must have.
  let requiredCount: Int

  /// `nil` when a number is negative or the sizes do not fit the memory of a machine.
  init?(dtype: DType, offset: Int, shape: [Int], strides: [Int]) {
    guard offset >= 0, shape.count == strides.count, shape.count <= 64 else { return nil }
    var elementCount = 1
    var reach = 0
    for (size, stride) in zip(shape, strides) {
      guard size >= 0, stride >= 0 else { return nil }
      let (product, productOverflow) = elementCount.multipliedReportingOverflow(by: max(size, 1))
      let (step, stepOverflow) = max(size - 1, 0).multipliedReportingOverflow(by: stride)
      let (sum, sumOverflow) = reach.addingReportingOverflow(step)
      guard !productOverflow, !stepOverflow, !sumOverflow else { return nil }
      elementCount = product
      reach = sum
    }
    if shape.contains(0) { elementCount = 0 }
    let (end, overflow) = offset.addingReportingOverflow(reach)
    guard !overflow, end < Int.max / 16, elementCount < Int.max / 16 else { return nil }
    self.dtype = dtype
    self.offset = offset
    self.shape = shape
    self.strides = strides
    self.elementCount = elementCount
    requiredCount = elementCount == 0 ? 0 : end + 1
  }

  /// Strides of a tensor of this shape without gaps, last dimension fastest.
  static func contiguousStrides(_ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    var product = 1
    for dim in shape.indices.reversed() {
      strides[dim] = product
      product = product &* max(shape[dim], 1)
    }
    return strides
  }

  /// Whether the elements are the first of the storage, in order and without gaps.
  var isContiguousFromStart: Bool { offset == 0 && isContiguous }

  /// Whether the elements lie in order and without gaps.
  var isContiguous: Bool {
    zip(shape, zip(strides, Self.contiguousStrides(shape))).allSatisfy { $0 == 1 || $1.0 == $1.1 }
  }
}

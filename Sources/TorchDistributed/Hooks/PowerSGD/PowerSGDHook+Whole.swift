internal import Torch

/// A bucket as one square matrix.
extension PowerSGDHook {
  func reduceWhole(_ bucket: GradientBucket, in group: ProcessGroup) throws -> PendingTensor {
    let input = bucket.buffer
    let memory = memory(of: bucket)
    let count = input.count
    let side = Self.side(of: count)
    let rank = min(side, options.rank)
    statistics.before += count
    statistics.after += 2 * side * rank

    let flat = Tensor.zeros([side * side], dtype: input.dtype, device: input.device)
    flat.narrowed(dim: 0, start: 0, length: count).copy(from: input)
    // An error that was put together anew has nothing for the end of the square.
    if let error = memory.error { flat.narrowed(dim: 0, start: 0, length: error.count).add(error) }
    let matrix = flat.view([side, side])

    let q =
      memory.q
      ?? Tensor.randn([side, rank], dtype: input.dtype, generator: Generator(seed: drawSeed())).to(input.device)
    q.unsqueezed(dim: 0).orthonormalizeColumns(epsilon: options.orthogonalizationEpsilon)
    return try group.pendingAllReduce(Aten.mm(matrix, mat2: q)).then { [options] p in
      p.unsqueezed(dim: 0).orthonormalizeColumns(epsilon: options.orthogonalizationEpsilon)
      return try group.pendingAllReduce(Aten.mm(matrix.transposed(0, 1), mat2: p)).map { q in
        if group.size > 1 { q.divide(by: Scalar(group.size)) }
        let product = Aten.mm(p, mat2: q.transposed(0, 1)).reshaped(-1)
        if options.errorFeedback { memory.error = flat - product }
        if options.warmStart { memory.q = q }
        input.copy(from: product.narrowed(dim: 0, start: 0, length: count))
        return input
      }
    }
  }

  /// The least number whose square is at least `count`.
  private static func side(of count: Int) -> Int {
    var side = Int(Double(count).squareRoot())
    while side * side < count { side += 1 }
    return max(side, 1)
  }
}

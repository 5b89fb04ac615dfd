internal import Torch

/// Each gradient as a matrix of its own.
extension PowerSGDHook {
  func reduceLayers(_ bucket: GradientBucket, in group: ProcessGroup) throws -> PendingTensor {
    let input = bucket.buffer
    let memory = memory(of: bucket)
    if let error = memory.error { input.add(error) }
    let before = options.errorFeedback ? input.clone() : nil
    let (matrices, whole) = sorted(bucket.gradients)

    var works: [Work] = []
    let flatWhole = whole.isEmpty ? nil : Tensor.cat(whole.map { $0.reshaped(-1) })
    if let flatWhole { works.append(try group.startAllReduce(flatWhole)) }
    let qs = factors(of: matrices, memory, like: input)
    let flatP = matrices.isEmpty ? nil : flat(zip(matrices, qs).map { Aten.bmm($0.batch, mat2: $1) })
    if let flatP { works.append(try group.startAllReduce(flatP)) }

    return PendingTensor(input, after: works).then { [options] input in
      if let flatWhole { spread(flatWhole / Scalar(group.size), over: whole) }
      guard let flatP else { return PendingTensor(input) }
      let ps = parts(of: flatP, matrices.map { [$0.batch.size(0), $0.batch.size(1), $0.rank] })
      for p in ps { p.orthonormalizeColumns(epsilon: options.orthogonalizationEpsilon) }
      let flatQ = flat(zip(matrices, ps).map { Aten.bmm($0.batch.transposed(1, 2), mat2: $1) })
      return try group.pendingAllReduce(flatQ).map { flatQ in
        if group.size > 1 { flatQ.divide(by: Scalar(group.size)) }
        let qs = parts(of: flatQ, matrices.map { [$0.batch.size(0), $0.batch.size(2), $0.rank] })
        for (matrix, (p, q)) in zip(matrices, zip(ps, qs)) {
          matrix.take(Aten.bmm(p, mat2: q.transposed(1, 2)))
        }
        if options.warmStart { memory.q = flatQ }
        return input
      }
    }.map { [options] input in
      if options.errorFeedback, let before { memory.error = before - input }
      return input
    }
  }

  /// Gradients of the same shape that are multiplied at once.
  private struct Matrices {
    /// [gradients, n, m]
    let batch: Tensor
    /// Views of the bucket.
    let gradients: [Tensor]
    let rank: Int

    /// Replaces the gradients.
    func take(_ product: Tensor) {
      for (index, gradient) in gradients.enumerated() { gradient.copy(from: product.selected(dim: 0, index: index)) }
    }
  }

  /// Those that become smaller, and the others.
  private func sorted(_ gradients: [Tensor]) -> (matrices: [Matrices], whole: [Tensor]) {
    var whole: [Tensor] = []
    var shapes: [(shape: [Int], gradients: [Tensor])] = []
    for gradient in gradients {
      statistics.before += gradient.count
      guard gradient.ndim > 0, gradient.count > 0 else {
        statistics.after += gradient.count
        whole.append(gradient)
        continue
      }
      let shape = [gradient.size(0), gradient.count / gradient.size(0)]
      let compressed = (shape[0] + shape[1]) * min(shape[0], shape[1], options.rank)
      guard Double(compressed) * options.minimumCompressionRate < Double(gradient.count) else {
        statistics.after += gradient.count
        whole.append(gradient)
        continue
      }
      statistics.after += compressed
      let matrix = gradient.view(shape)
      if let place = shapes.firstIndex(where: { $0.shape == shape }) {
        shapes[place].gradients.append(matrix)
      } else {
        shapes.append((shape, [matrix]))
      }
    }
    let matrices = shapes.flatMap { shape, gradients in
      let rank = min(shape[0], shape[1], options.rank)
      if options.batchTensorsWithSameShape, gradients.count > 1 {
        return [Matrices(batch: .stack(gradients), gradients: gradients, rank: rank)]
      }
      return gradients.map { Matrices(batch: $0.unsqueezed(dim: 0), gradients: [$0], rank: rank) }
    }
    return (matrices, whole)
  }

  /// The orthonormal Q of each batch: those of the last step, or random ones.
  private func factors(of matrices: [Matrices], _ memory: LowRankMemory, like input: Tensor) -> [Tensor] {
    guard !matrices.isEmpty else { return [] }
    let shapes = matrices.map { [$0.batch.size(0), $0.batch.size(2), $0.rank] }
    let qs: [Tensor]
    if let known = memory.q {
      qs = parts(of: known, shapes)
    } else {
      let generator = Generator(seed: drawSeed())
      qs = shapes.map { Tensor.randn($0, dtype: input.dtype, generator: generator).to(input.device) }
    }
    for q in qs { q.orthonormalizeColumns(epsilon: options.orthogonalizationEpsilon) }
    return qs
  }
}

/// The tensors one after the other.
private func flat(_ tensors: [Tensor]) -> Tensor {
  tensors.count == 1 ? tensors[0].reshaped(-1) : .cat(tensors.map { $0.reshaped(-1) })
}

/// Views of the tensors that ``flat(_:)`` put together.
private func parts(of flat: Tensor, _ shapes: [[Int]]) -> [Tensor] {
  var start = 0
  return shapes.map { shape in
    let count = shape.reduce(1, *)
    defer { start += count }
    return flat.narrowed(dim: 0, start: start, length: count).view(shape)
  }
}

private func spread(_ flat: Tensor, over tensors: [Tensor]) {
  for (tensor, part) in zip(tensors, parts(of: flat, tensors.map(\.shape))) { tensor.copy(from: part) }
}

import Torch

/// The model of the probe's scenario `bagua` on all ranks, in one process and from tensors alone.
///
/// Weights are numbered as the module names them: fc1.weight, fc1.bias, fc2.weight, fc2.bias. Vectors hold them from the
/// last to the first, as buckets do.
struct BaguaSimulation {
  static let names = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
  static let batchSize = 4
  let ranks: Int
  let rate: Float
  /// For each rank.
  var weights: [[Tensor]]
  /// Steps done.
  var step = 0

  init(_ initial: [Tensor], ranks: Int, rate: Float = 0.1) {
    self.ranks = ranks
    self.rate = rate
    weights = (0..<ranks).map { _ in initial.map { $0.clone() } }
  }

  /// The gradients of the loss of a rank's batch, as a vector.
  func gradient(_ rank: Int) -> Tensor {
    let leaves = weights[rank].map { weight in
      let leaf = weight.clone()
      leaf.requiresGradient = true
      return leaf
    }
    let first = step * Self.batchSize
    let rows = (first..<first + Self.batchSize).map { rank + ranks * $0 }
    var numbers: [Float] = []
    for row in rows {
      for column in 0..<4 { numbers.append(Float(((4 * row + column) * 7919 + 13) % 101) / 101 - 0.5) }
    }
    let input = Tensor(numbers, shape: [Self.batchSize, 4])
    let hidden = Aten.relu(Aten.linear(input, weight: leaves[0], bias: leaves[1]))
    let output = Aten.linear(hidden, weight: leaves[2], bias: leaves[3])
    Aten.cross_entropy_loss(output, target: Tensor(rows.map { Int64($0 % 3) })).backward()
    return Self.vector(leaves.map { $0.gradient! })
  }

  var gradients: [Tensor] { (0..<ranks).map { gradient($0) } }

  static func vector(_ tensors: [Tensor]) -> Tensor { Tensor.cat(tensors.reversed().map { $0.reshaped(-1) }) }

  /// The weights of a rank as a vector.
  func vector(_ rank: Int) -> Tensor { Self.vector(weights[rank]) }

  mutating func setWeights(_ rank: Int, _ vector: Tensor) {
    var start = 0
    for index in weights[rank].indices.reversed() {
      let shape = weights[rank][index].shape
      let count = weights[rank][index].count
      weights[rank][index] = vector.narrowed(dim: 0, start: start, length: count).reshaped(shape).clone()
      start += count
    }
  }

  /// A step of plain gradient descent on each rank.
  mutating func descend(_ gradients: [Tensor]) {
    for rank in 0..<ranks { setWeights(rank, vector(rank) - gradients[rank] * Scalar(rate)) }
    step += 1
  }

  static func mean(_ vectors: [Tensor]) -> Tensor {
    vectors.dropFirst().reduce(vectors[0]) { $0 + $1 } / Scalar(vectors.count)
  }

  /// What comes back of numbers that were sent in 8 bits, one number at a time.
  static func quantised(_ numbers: [Float]) -> [Float] {
    let (low, high) = (numbers.min()!, numbers.max()!)
    let scale = 255 / (high - low + 1e-7)
    let upper = (high * scale).rounded(.toNearestOrEven)
    let lower = upper - 255
    return numbers.map { number in
      let level = min((number * scale).rounded(.toNearestOrEven), upper) - lower
      return (Float(UInt8(min(max(level, 0), 255))) + lower) / scale
    }
  }

  static func quantised(_ vector: Tensor) throws -> Tensor { Tensor(quantised(try vector.array(as: Float.self))) }

  /// The mean of vectors by the scheme of bytegrad: chunks of the padded vectors sent in 8 bits, means sent back in 8 bits.
  ///
  /// - Parameter padding: the length becomes a multiple of it.
  static func compressedMean(_ vectors: [Tensor], padding: Int) throws -> Tensor {
    let count = vectors[0].count
    let length = (count + padding - 1) / padding * padding
    let padded = vectors.map { length == count ? $0 : Tensor.cat([$0, .zeros([length - count])]) }
    let parts = vectors.count
    let means = try (0..<parts).map { part in
      let chunks = try padded.map {
        try quantised($0.narrowed(dim: 0, start: part * (length / parts), length: length / parts))
      }
      return try quantised(Tensor.stack(chunks).mean(dim: 0))
    }
    return Tensor.cat(means).narrowed(dim: 0, start: 0, length: count)
  }
}

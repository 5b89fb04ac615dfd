internal import Torch
internal import TorchDistributed

/// The adaptive sum of vectors of a power of two of ranks, by recursive halving and doubling.
///
/// Of two vectors it is (1 - a·b / 2‖a‖²) a + (1 - a·b / 2‖b‖²) b: their sum when they are orthogonal, their mean when they
/// are parallel. Each tensor is a vector of its own; products are computed in float64. See Maleki et al., Scaling
/// Distributed Training with Adaptive Summation, https://arxiv.org/abs/2006.02924.
struct Adasum {
  /// Below this squared norm a vector is taken as it is.
  static let smallestNorm = Double.leastNormalMagnitude.squareRoot()

  private let across: ProcessGroup?
  private let local: ProcessGroup?

  /// - Parameters:
  ///   - group: of a power of two of ranks; nil where only the first rank of a node takes part.
  ///   - local: the ranks of a node, whose mean takes part as one vector; nil for every rank by itself.
  init(_ group: ProcessGroup?, local: ProcessGroup? = nil) {
    across = group
    self.local = local
  }

  /// Whether the number of vectors is a power of two, as far as this rank knows it.
  var isPossible: Bool { across.map { Adasum.isPowerOfTwo($0.size) } ?? true }

  static func isPowerOfTwo(_ number: Int) -> Bool { number > 0 && number & (number - 1) == 0 }

  /// The factors of two vectors in their adaptive sum.
  static func factors(dot: Double, _ first: Double, _ second: Double) -> (first: Double, second: Double) {
    (
      first < smallestNorm ? 1 : 1 - dot / (2 * first),
      second < smallestNorm ? 1 : 1 - dot / (2 * second)
    )
  }

  /// Replaces the tensors inside `flat` by their adaptive sums over the ranks.
  ///
  /// - Parameters:
  ///   - flat: as many elements as a multiple of the number of ranks.
  ///   - bounds: where each tensor begins, and where the last one ends.
  func reduce(_ flat: Tensor, bounds: [Int]) throws {
    if let local {
      try local.allReduce(flat, by: .sum)
      flat.multiply(by: Scalar(1 / Double(local.size)))
    }
    if let across { try AdasumRank(group: across).reduce(flat, bounds: bounds) }
    try local?.broadcast(flat)
  }
}

/// One rank's part in an adaptive sum.
private struct AdasumRank {
  let group: ProcessGroup

  func reduce(_ flat: Tensor, bounds: [Int]) throws {
    var (start, length) = (0, flat.count)
    var distance = 1
    while distance < group.size {
      // The lower rank of a pair keeps the first half of what both have.
      let partner = group.rank ^ distance
      let isLower = group.rank < partner
      length /= 2
      let (kept, sent) = isLower ? (start, start + length) : (start + length, start)
      let received = Tensor.empty([length], dtype: flat.dtype, device: flat.device)
      try exchange(flat.narrowed(dim: 0, start: sent, length: length), received, with: partner, tag: distance)
      start = kept
      let own = flat.narrowed(dim: 0, start: start, length: length)
      try combine(own, received, at: start, bounds, isLower: isLower, span: 2 * distance)
      distance *= 2
    }
    distance = group.size / 2
    while distance > 0 {
      let partner = group.rank ^ distance
      let isLower = group.rank < partner
      let other = isLower ? start + length : start - length
      try exchange(
        flat.narrowed(dim: 0, start: start, length: length), flat.narrowed(dim: 0, start: other, length: length),
        with: partner, tag: distance)
      start = min(start, other)
      length *= 2
      distance /= 2
    }
  }

  /// Replaces this rank's piece of the vectors by that of their adaptive sums.
  private func combine(
    _ own: Tensor, _ received: Tensor, at start: Int, _ bounds: [Int], isLower: Bool, span: Int
  ) throws {
    let (first, second) =
      isLower ? (own.to(.float64), received.to(.float64)) : (received.to(.float64), own.to(.float64))
    let pieces = (0..<(bounds.count - 1)).map { index in
      let lower = min(max(bounds[index] - start, 0), own.count)
      return lower..<max(lower, min(bounds[index + 1] - start, own.count))
    }
    var products = [Double](repeating: 0, count: 3 * pieces.count)
    for (index, piece) in pieces.enumerated() where !piece.isEmpty {
      let a = first.narrowed(dim: 0, start: piece.lowerBound, length: piece.count)
      let b = second.narrowed(dim: 0, start: piece.lowerBound, length: piece.count)
      products[3 * index] = try Aten.dot(a, tensor: b).scalar()
      products[3 * index + 1] = try Aten.dot(a, tensor: a).scalar()
      products[3 * index + 2] = try Aten.dot(b, tensor: b).scalar()
    }
    products = try sum(products, over: span)
    for (index, piece) in pieces.enumerated() where !piece.isEmpty {
      let factors = Adasum.factors(dot: products[3 * index], products[3 * index + 1], products[3 * index + 2])
      let a = first.narrowed(dim: 0, start: piece.lowerBound, length: piece.count)
      let b = second.narrowed(dim: 0, start: piece.lowerBound, length: piece.count)
      own.narrowed(dim: 0, start: piece.lowerBound, length: piece.count).copy(
        from: a * factors.first + b * factors.second)
    }
  }

  /// The sum of numbers over the `span` ranks that hold pieces of the same vectors: the same bits on each.
  private func sum(_ numbers: [Double], over span: Int) throws -> [Double] {
    let total = Tensor(numbers)
    var distance = 1
    while distance < span {
      let other = Tensor.empty([numbers.count], dtype: .float64)
      try exchange(total.clone(), other, with: group.rank ^ distance, tag: group.size + distance)
      total.add(other)
      distance *= 2
    }
    return try total.array(as: Double.self)
  }

  private func exchange(_ sent: Tensor, _ received: Tensor, with partner: Int, tag: Int) throws {
    let works = try group.startTogether([
      .receive(received, from: partner, tag: tag), .send(sent, to: partner, tag: tag),
    ])
    for work in works { try work.wait() }
  }
}

internal import Torch

/// Elements of a tensor of a checkpoint that this rank holds, or can read.
struct TensorPiece {
  /// The shape of the whole tensor.
  let shape: [Int]
  /// The elements held here, numbered in row-major order of the whole.
  let range: Range<Int>
  let dtype: DType
  /// Whether this rank may write them; false for a copy that others write.
  let isPrimary: Bool
  private let origin: Origin

  private enum Origin {
    case memory(Tensor)
    /// A placeholder of the whole, and what it is read from.
    case files(Tensor, any TensorSource)
    /// Held here, but not in memory.
    case stored(any StoredElements)
  }

  /// - Parameter tensor: the values, `range.count` elements.
  init(shape: [Int], range: Range<Int>, tensor: Tensor, isPrimary: Bool) {
    self.shape = shape
    self.range = range
    self.isPrimary = isPrimary
    dtype = tensor.dtype
    origin = .memory(tensor)
  }

  /// A tensor that is held as a whole.
  init(whole tensor: Tensor, isPrimary: Bool = true) {
    self.init(shape: tensor.shape, range: 0..<tensor.count, tensor: tensor, isPrimary: isPrimary)
  }

  /// A tensor that stays in its files until it is written.
  init(_ placeholder: Tensor, in source: any TensorSource) {
    shape = placeholder.shape
    range = 0..<placeholder.count
    isPrimary = true
    dtype = placeholder.dtype
    origin = .files(placeholder, source)
  }

  /// Elements that are held here, but not in memory.
  init(shape: [Int], range: Range<Int>, stored: any StoredElements, isPrimary: Bool) {
    self.shape = shape
    self.range = range
    self.isPrimary = isPrimary
    dtype = stored.dtype
    origin = .stored(stored)
  }

  /// Why it cannot be written; nil when it can.
  var obstacleToSaving: String? {
    if case .memory(let tensor) = origin { tensor.obstacleToSaving } else { nil }
  }

  /// Gives the values of some elements to `body`: at once those in memory, piece by piece the others.
  func forEachPart(of elements: Range<Int>, _ body: (Tensor) throws -> Void) throws {
    switch origin {
    case .memory(let tensor): try body(part(elements, of: tensor))
    case .files(let placeholder, let source):
      let length = max(1, (64 << 20) / max(1, dtype.byteCount))
      for start in stride(from: elements.lowerBound, to: elements.upperBound, by: length) {
        let request = TensorRequest(placeholder, start..<min(start + length, elements.upperBound))
        try source.read([request])
        try body(request.target)
      }
    case .stored(let stored):
      let first = range.lowerBound
      try stored.forEachPart(of: elements.lowerBound - first..<elements.upperBound - first, body)
    }
  }

  /// Some elements as a vector, without a copy where they lie together in memory; nil for those elsewhere.
  func tensor(of elements: Range<Int>) -> Tensor? {
    if case .memory(let tensor) = origin { part(elements, of: tensor) } else { nil }
  }

  private func part(_ elements: Range<Int>, of tensor: Tensor) -> Tensor {
    withoutGradients {
      let flat = tensor.detached().flattened()
      guard elements != range else { return flat }
      return flat.narrowed(dim: 0, start: elements.lowerBound - range.lowerBound, length: elements.count)
    }
  }
}

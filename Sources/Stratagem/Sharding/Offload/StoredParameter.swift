internal import Torch
internal import TorchNN

extension AnyParameter {
  /// Where its elements and gradient are when it does not hold them.
  var stored: StoredParameter? { offloadedGradient as? StoredParameter }
}

/// The elements of a parameter that this rank has, and their gradient, in a store.
final class StoredParameter: OffloadedGradient, StoredElements {
  /// Elements that are read and written at once.
  struct Piece {
    let range: Range<Int>
    let elements: ShardSlot
    let gradient: ShardSlot
  }

  let name: String
  let count: Int
  let dtype: DType
  let pieces: [Piece]
  let parameters: ParameterStore

  private(set) var isPresent = false
  /// Whether the gradient was saved in a backward that is not over: it counts when some rank had one.
  private var isProvisional = false
  /// What is still to be done to the gradient when it is read.
  private var changes: [(Tensor) -> Void] = []

  /// Takes room in the store.
  init(_ name: String, count: Int, dtype: DType, in parameters: ParameterStore) throws {
    self.name = name
    self.count = count
    self.dtype = dtype
    self.parameters = parameters
    let length = Self.pieceLength(parameters.options.pieceSize)
    pieces = try stride(from: 0, to: count, by: length).map { start in
      let range = start..<min(start + length, count)
      let part = range.count == count ? name : "\(name)[\(range.lowerBound):\(range.upperBound)]"
      return Piece(
        range: range, elements: try parameters.store.reserve(part, count: range.count, dtype: dtype),
        gradient: try parameters.store.reserve("the gradient of \(part)", count: range.count, dtype: dtype))
    }
  }

  /// What pieces begin at multiples of, so that they are aligned in memory as in the file.
  static let granularity = 4096

  static func pieceLength(_ limit: Int) -> Int { max(granularity, limit / granularity * granularity) }

  var store: any ShardStore { parameters.store }

  // Elements
  func forEachPart(of range: Range<Int>, _ body: (Tensor) throws -> Void) throws {
    for piece in pieces {
      let wanted = piece.range.clamped(to: range)
      guard !wanted.isEmpty else { continue }
      let part = try store.load(piece.elements)
      try body(part.narrowed(dim: 0, start: wanted.lowerBound - piece.range.lowerBound, length: wanted.count))
    }
  }

  /// Replaces all elements.
  ///
  /// - Parameter read: the new values of some of them.
  func replace(_ read: (Range<Int>) throws -> Tensor) throws {
    for piece in pieces {
      let elements = try read(piece.range).detached().reshaped([-1])
      try store.save(elements.dtype == dtype ? elements.contiguous() : elements.to(dtype), to: piece.elements)
    }
  }

  // The gradient
  func forEachPart(_ body: (Tensor) throws -> Void) throws {
    guard isPresent else { return }
    for piece in pieces {
      let part = try store.load(piece.gradient)
      applyChanges(to: part)
      try body(part)
    }
  }

  func apply(_ change: @escaping (Tensor) -> Void) { if isPresent { changes.append(change) } }

  /// Does what is still to be done to elements of the gradient that were read.
  func applyChanges(to part: Tensor) {
    guard !changes.isEmpty else { return }
    withoutGradients { for change in changes { change(part) } }
  }

  /// A gradient of this backward is in the store, with what was to be done to the one before.
  func gradientWasSaved() {
    if !isPresent { isProvisional = true }
    isPresent = true
    changes = []
  }

  /// The ranks have found out whether one of them had a gradient.
  func settle(isPresent isReal: Bool) {
    if isProvisional { isPresent = isReal }
    isProvisional = false
  }

  func dropGradient() {
    isPresent = false
    isProvisional = false
    changes = []
  }
}

internal import Torch

/// The shard of a unit, and its gradients, in a store.
final class StoredUnit {
  /// By the unit's parameters.
  let parameters: [StoredParameter]
  private let dtype: DType
  private let store: ParameterStore
  /// Where this rank's elements of each parameter begin in its shard.
  private let shardOffsets: [Int]
  /// Where they begin in memory that they are loaded into: aligned.
  private let bufferOffsets: [Int]
  /// The elements of the shard, and of a buffer for it.
  private let count: Int
  private let bufferCount: Int
  /// Memory with a gradient that is being saved.
  private var saving: TransferBuffer?
  /// Memory that the gradient before is being loaded into.
  private var accumulated: TransferBuffer?

  init(
    _ parameters: [ShardedParameter], _ pieces: [UnitPartition.Piece], dtype: DType, in store: ParameterStore
  ) throws {
    self.dtype = dtype
    self.store = store
    shardOffsets = pieces.map(\.offset)
    count = pieces.reduce(0) { $0 + $1.range.count }
    var next = 0
    bufferOffsets = pieces.map { piece in
      defer {
        next +=
          (piece.range.count + StoredParameter.granularity - 1) / StoredParameter.granularity
          * StoredParameter.granularity
      }
      return next
    }
    bufferCount = next
    self.parameters = try zip(parameters, pieces).map { parameter, piece in
      try StoredParameter(
        parameter.name, count: piece.range.count, dtype: dtype, in: store)
    }
  }

  /// Saves the elements of all parameters; afterwards they are in the store.
  func save(_ shard: Tensor) throws {
    let buffer = try store.takeBuffer(count: bufferCount, dtype: dtype)
    spread(shard, over: buffer)
    try startSaving(\.elements, from: buffer) { _ in true }
    store.giveBack(buffer)
  }

  /// Starts to load the elements; ``shard(in:)`` is where they are when the buffer has waited.
  func startLoading() throws -> TransferBuffer { try startLoading(\.elements) { _ in true } }

  private func startLoading(
    _ slot: KeyPath<StoredParameter.Piece, ShardSlot>, of isWanted: (Int) -> Bool
  ) throws -> TransferBuffer {
    let buffer = try store.takeBuffer(count: bufferCount, dtype: dtype)
    try forEachPiece(of: isWanted) { try buffer.startLoading($0[keyPath: slot], from: store.store, at: $1) }
    return buffer
  }

  private func startSaving(
    _ slot: KeyPath<StoredParameter.Piece, ShardSlot>, from buffer: TransferBuffer, of isWanted: (Int) -> Bool
  ) throws {
    try forEachPiece(of: isWanted) { try buffer.startSaving($0[keyPath: slot], to: store.store, at: $1) }
  }

  /// The pieces of some parameters, and where they lie in a buffer.
  private func forEachPiece(
    of isWanted: (Int) -> Bool, _ body: (StoredParameter.Piece, Int) throws -> Void
  ) throws {
    for (index, parameter) in parameters.enumerated() where isWanted(index) {
      for piece in parameter.pieces { try body(piece, bufferOffsets[index] + piece.range.lowerBound) }
    }
  }

  /// The shard as one vector, which may be in the memory of the buffer.
  func shard(in buffer: TransferBuffer) -> Tensor {
    if shardOffsets == bufferOffsets { return buffer.vector(at: 0, count: count) }
    let parts = parameters.indices.filter { parameters[$0].count > 0 }.map {
      buffer.vector(at: bufferOffsets[$0], count: parameters[$0].count)
    }
    return parts.isEmpty ? buffer.vector(at: 0, count: 0) : Tensor.cat(parts)
  }

  func giveBack(_ buffer: TransferBuffer) { store.giveBack(buffer) }

  // Gradients
  /// Starts to load the gradient that the next one is to be added to, when there is one.
  func startLoadingGradient() throws {
    guard accumulated == nil, parameters.contains(where: \.isPresent) else { return }
    try saving?.wait()
    accumulated = try startLoading(\.gradient) { parameters[$0].isPresent }
  }

  /// Saves the gradient of the shard, added to the one before, for parameters that are trained.
  func addGradient(_ gradient: Tensor, isTrained: (Int) -> Bool) throws {
    try startLoadingGradient()
    let buffer = try store.takeBuffer(count: bufferCount, dtype: dtype)
    spread(gradient, over: buffer)
    if let accumulated {
      self.accumulated = nil
      try accumulated.wait()
      withoutGradients {
        for (index, parameter) in parameters.enumerated() where parameter.isPresent {
          let before = accumulated.vector(at: bufferOffsets[index], count: parameter.count)
          parameter.applyChanges(to: before)
          buffer.vector(at: bufferOffsets[index], count: parameter.count).add(before)
        }
      }
      store.giveBack(accumulated)
    }
    try startSaving(\.gradient, from: buffer, of: isTrained)
    for index in parameters.indices where isTrained(index) { parameters[index].gradientWasSaved() }
    saving = buffer
    store.giveBack(buffer)
  }

  /// Puts the parts of a vector where they lie in a buffer.
  private func spread(_ shard: Tensor, over buffer: TransferBuffer) {
    withoutGradients {
      for (index, parameter) in parameters.enumerated() where parameter.count > 0 {
        buffer.vector(at: bufferOffsets[index], count: parameter.count)
          .copy(from: shard.narrowed(dim: 0, start: shardOffsets[index], length: parameter.count))
      }
    }
  }
}

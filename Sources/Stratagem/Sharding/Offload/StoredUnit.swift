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
    for (index, parameter) in parameters.enumerated() {
      for piece in parameter.pieces {
        try buffer.startSaving(
          piece.elements, to: store.store, at: bufferOffsets[index] + piece.range.lowerBound)
      }
    }
    store.giveBack(buffer)
  }

  /// Starts to load the elements; ``shard(in:)`` is where they are when the buffer has waited.
  func startLoading() throws -> TransferBuffer {
    let buffer = try store.takeBuffer(count: bufferCount, dtype: dtype)
    do {
      for (index, parameter) in parameters.enumerated() {
        for piece in parameter.pieces {
          try buffer.startLoading(
            piece.elements, from: store.store, at: bufferOffsets[index] + piece.range.lowerBound)
        }
      }
    } catch {
      try? buffer.wait()
      throw error
    }
    return buffer
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
    let buffer = try store.takeBuffer(count: bufferCount, dtype: dtype)
    accumulated = buffer
    for index in parameters.indices where parameters[index].isPresent {
      for piece in parameters[index].pieces {
        try buffer.startLoading(piece.gradient, from: store.store, at: bufferOffsets[index] + piece.range.lowerBound)
      }
    }
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
    for index in parameters.indices where isTrained(index) {
      for piece in parameters[index].pieces {
        try buffer.startSaving(piece.gradient, to: store.store, at: bufferOffsets[index] + piece.range.lowerBound)
      }
      parameters[index].gradientWasSaved()
    }
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

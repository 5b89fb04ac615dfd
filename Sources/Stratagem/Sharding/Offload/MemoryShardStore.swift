public import Torch

/// Keeps vectors in the memory of the CPU.
public final class MemoryShardStore: ShardStore {
  private var vectors: [Tensor?] = []

  public init() {}

  /// The bytes that are kept.
  public var byteCount: Int { vectors.reduce(0) { $0 + ($1?.byteCount ?? 0) } }

  public func reserve(_ name: String, count: Int, dtype: DType) throws(ShardStoreError) -> ShardSlot {
    vectors.append(nil)
    return ShardSlot(name: name, count: count, dtype: dtype, index: vectors.count - 1)
  }

  public func prepare() throws(ShardStoreError) {}

  public func makeBuffer(count: Int, dtype: DType) -> Tensor { .empty([count], dtype: dtype) }

  public func startSaving(_ tensor: Tensor, to slot: ShardSlot) throws(ShardStoreError) -> any ShardTransfer {
    try slot.check(tensor)
    try check(slot)
    withoutGradients {
      let vector = vectors[slot.index] ?? .empty([slot.count], dtype: slot.dtype)
      vector.copy(from: tensor.detached().reshaped([-1]))
      vectors[slot.index] = vector
    }
    return Done()
  }

  public func startLoading(_ slot: ShardSlot, into tensor: Tensor) throws(ShardStoreError) -> any ShardTransfer {
    try slot.check(tensor)
    try check(slot)
    guard let vector = vectors[slot.index] else {
      throw ShardStoreError("nothing was saved as '\(slot.name)' yet")
    }
    withoutGradients { tensor.detached().reshaped([-1]).copy(from: vector) }
    return Done()
  }

  public func close() { vectors = [] }

  private func check(_ slot: ShardSlot) throws(ShardStoreError) {
    guard vectors.indices.contains(slot.index) else {
      throw ShardStoreError(
        "there is no place for '\(slot.name)': the store is closed, or the place is another store's")
    }
  }

  private final class Done: ShardTransfer {
    func wait() throws(ShardStoreError) {}
  }
}

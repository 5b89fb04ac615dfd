internal import Torch
internal import TorchDistributed

/// Keeps the parameters of a model, and their gradients, in a store between their uses.
final class ParameterStore {
  let store: any ShardStore
  let options: ParameterStoreOptions
  /// The elements that may still stay in memory.
  private var elementsLeft: Int
  /// Memory that nobody uses at the moment; what is being saved from it may still be on its way.
  private var free: [TransferBuffer] = []

  /// - Parameter group: that of all ranks. They keep the same units in memory, as many as the one with the least room:
  ///   those are gathered ahead of their use and others at it, in an order that all have to share.
  /// - Throws: ``ShardStoreError`` naming the folder when it cannot be written to.
  init(_ options: ParameterStoreOptions, agreeingIn group: ProcessGroup?) throws {
    self.options = options
    elementsLeft = try group?.allGather(object: options.elementsInMemory).min() ?? options.elementsInMemory
    store = try DiskShardStore(in: options.folder, options: options.disk)
  }

  /// Whether a unit stays in memory of which a rank has at most some elements.
  func keepsInMemory(_ count: Int) -> Bool {
    guard count <= elementsLeft else { return false }
    elementsLeft -= count
    return true
  }

  /// Memory for some elements, aligned for the store.
  func takeBuffer(count: Int, dtype: DType) throws -> TransferBuffer {
    if let place = free.firstIndex(where: { $0.memory.dtype == dtype && $0.memory.count >= count }) {
      let buffer = free.remove(at: place)
      try buffer.wait()
      return buffer
    }
    // A larger one takes the place of a smaller one.
    if !free.isEmpty { try free.removeFirst().wait() }
    return TransferBuffer(store.makeBuffer(count: max(count, 1), dtype: dtype))
  }

  func giveBack(_ buffer: TransferBuffer) { free.append(buffer) }

  /// Waits until everything is saved.
  func flush() throws { for buffer in free { try buffer.wait() } }

  /// Gives the memory back that things pass through.
  func releaseBuffers() throws {
    try flush()
    free = []
  }

  func close() {
    for buffer in free { try? buffer.wait() }
    free = []
    store.close()
  }
}

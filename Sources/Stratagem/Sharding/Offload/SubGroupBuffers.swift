internal import Torch

/// The memory in which one sub-group after the other is updated.
final class SubGroupBuffers {
  private var memory: [String: Tensor] = [:]
  private var transfers: [any ShardTransfer] = []
  private let store: any ShardStore
  private let capacity: Int

  static let master = ""

  init(_ store: any ShardStore, capacity: Int) {
    self.store = store
    self.capacity = capacity
  }

  /// The bytes that are kept.
  var byteCount: Int { memory.values.reduce(0) { $0 + $1.storageByteCount } }

  /// A vector for a sub-group; the same memory for every one.
  func vector(_ name: String, count: Int, dtype: DType) -> Tensor {
    let whole = memory[name] ?? store.makeBuffer(count: capacity, dtype: dtype)
    memory[name] = whole
    return whole.narrowed(dim: 0, start: 0, length: count)
  }

  func startLoading(_ slot: ShardSlot, _ name: String) throws {
    transfers.append(
      try store.startLoading(slot, into: vector(name, count: slot.count, dtype: slot.dtype)))
  }

  func startSaving(_ slot: ShardSlot, _ name: String) throws {
    transfers.append(try store.startSaving(vector(name, count: slot.count, dtype: slot.dtype), to: slot))
  }

  /// Waits for everything that is on its way.
  func wait() throws {
    let pending = transfers
    transfers = []
    for transfer in pending { try transfer.wait() }
  }
}

internal import Torch

/// The memory in which one sub-group after the other is updated.
final class SubGroupBuffers {
  private struct Key: Hashable {
    let name: String
    let dtype: DType
  }

  private var memory: [Key: Tensor] = [:]
  private var transfers: [any ShardTransfer] = []
  private let store: any ShardStore
  /// What aligns the memory.
  private let maker: any ShardStore
  private let capacity: Int

  /// Names of vectors that are no state of the optimizer.
  static let master = ""
  static let gradient = "?"
  static let held = "!"

  init(_ store: any ShardStore, alignedFor maker: any ShardStore, capacity: Int) {
    self.store = store
    self.maker = maker
    self.capacity = capacity
  }

  /// The bytes that are kept.
  var byteCount: Int { memory.values.reduce(0) { $0 + $1.storageByteCount } }

  /// A vector for a sub-group; the same memory for every one.
  func vector(_ name: String, count: Int, dtype: DType) -> Tensor {
    let key = Key(name: name, dtype: dtype)
    let whole = memory[key] ?? maker.makeBuffer(count: capacity, dtype: dtype)
    memory[key] = whole
    return whole.narrowed(dim: 0, start: 0, length: count)
  }

  func startLoading(_ slot: ShardSlot, _ name: String) throws {
    transfers.append(
      try store.startLoading(slot, into: vector(name, count: slot.count, dtype: slot.dtype)))
  }

  func startSaving(_ slot: ShardSlot, _ name: String) throws {
    transfers.append(try store.startSaving(vector(name, count: slot.count, dtype: slot.dtype), to: slot))
  }

  /// A part of a vector.
  func part(_ name: String, at offset: Int, count: Int, dtype: DType) -> Tensor {
    vector(name, count: capacity, dtype: dtype).narrowed(dim: 0, start: offset, length: count)
  }

  /// Starts to load a part of a vector from another store.
  func startLoading(_ slot: ShardSlot, from other: any ShardStore, _ name: String, at offset: Int) throws {
    let part = part(name, at: offset, count: slot.count, dtype: slot.dtype)
    transfers.append(try other.startLoading(slot, into: part))
  }

  func startSaving(_ slot: ShardSlot, to other: any ShardStore, _ name: String, at offset: Int) throws {
    let part = part(name, at: offset, count: slot.count, dtype: slot.dtype)
    transfers.append(try other.startSaving(part, to: slot))
  }

  /// Waits for everything that is on its way.
  func wait() throws {
    let pending = transfers
    transfers = []
    for transfer in pending { try transfer.wait() }
  }
}

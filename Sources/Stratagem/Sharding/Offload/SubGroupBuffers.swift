internal import Torch

/// The memory in which one sub-group after the other is updated.
final class SubGroupBuffers {
  private struct Key: Hashable {
    let name: String
    let dtype: DType
  }

  private var memory: [Key: Tensor] = [:]
  private var transfers = PendingTransfers()
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

  /// A part of a vector.
  func part(_ name: String, at offset: Int, count: Int, dtype: DType) -> Tensor {
    vector(name, count: capacity, dtype: dtype).narrowed(dim: 0, start: offset, length: count)
  }

  /// Starts to load a part of a vector.
  ///
  /// - Parameter other: where it is; nil for where the state is.
  func startLoading(
    _ slot: ShardSlot, from other: (any ShardStore)? = nil, _ name: String, at offset: Int = 0
  ) throws {
    let part = part(name, at: offset, count: slot.count, dtype: slot.dtype)
    transfers.add(try (other ?? store).startLoading(slot, into: part))
  }

  func startSaving(_ slot: ShardSlot, to other: (any ShardStore)? = nil, _ name: String, at offset: Int = 0) throws {
    let part = part(name, at: offset, count: slot.count, dtype: slot.dtype)
    transfers.add(try (other ?? store).startSaving(part, to: slot))
  }

  /// Waits for everything that is on its way.
  func wait() throws { try transfers.wait() }
}

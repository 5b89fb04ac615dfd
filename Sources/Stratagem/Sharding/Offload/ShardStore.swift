public import Torch

/// Where vectors of numbers are kept while they are not needed: in memory or on a disk.
///
/// ```swift
/// let store = try DiskShardStore(in: "/scratch")
/// let slot = try store.reserve("layer 3", count: 4_000_000, dtype: .float32)
/// try store.prepare()
/// try store.save(numbers, to: slot)
/// let again = try store.load(slot)
/// ```
///
/// Used by one thread at a time.
public protocol ShardStore: AnyObject {
  /// Makes room for a vector; `name` is what errors call it.
  func reserve(_ name: String, count: Int, dtype: DType) throws(ShardStoreError) -> ShardSlot

  /// Takes the room that was reserved so far, so that there is enough of it later. Call it before the training.
  func prepare() throws(ShardStoreError)

  /// A vector without particular numbers that can be saved and loaded without being copied.
  func makeBuffer(count: Int, dtype: DType) -> Tensor

  /// Starts to save a vector of the slot's size and type, which must not change until the transfer is done.
  func startSaving(_ tensor: Tensor, to slot: ShardSlot) throws(ShardStoreError) -> any ShardTransfer

  /// Starts to load what was saved into a vector of the slot's size and type.
  func startLoading(_ slot: ShardSlot, into tensor: Tensor) throws(ShardStoreError) -> any ShardTransfer

  /// Gives all room back; nothing can be saved or loaded any more.
  func close()
}

/// A vector on its way to or from a store.
public protocol ShardTransfer: AnyObject {
  /// Waits until it is done; later calls do nothing.
  func wait() throws(ShardStoreError)
}

/// A place in a store.
public struct ShardSlot: Hashable, Sendable {
  public let name: String
  public let count: Int
  public let dtype: DType
  /// Number of the place, for the store.
  public let index: Int

  public init(name: String, count: Int, dtype: DType, index: Int) {
    self.name = name
    self.count = count
    self.dtype = dtype
    self.index = index
  }

  public var byteCount: Int { count * dtype.byteCount }
}

extension ShardStore {
  /// Saves a vector and waits for it.
  public func save(_ tensor: Tensor, to slot: ShardSlot) throws(ShardStoreError) {
    try startSaving(tensor, to: slot).wait()
  }

  /// Loads a vector and waits for it.
  public func load(_ slot: ShardSlot) throws(ShardStoreError) -> Tensor {
    let buffer = makeBuffer(count: slot.count, dtype: slot.dtype)
    try startLoading(slot, into: buffer).wait()
    return buffer
  }
}

extension ShardSlot {
  /// Throws unless a tensor can be what is in this place.
  func check(_ tensor: Tensor) throws(ShardStoreError) {
    guard !tensor.isPoisoned else { throw ShardStoreError("there is no memory for '\(name)', \(byteCount) bytes") }
    guard tensor.count == count, tensor.dtype == dtype, tensor.isContiguous, tensor.device == .cpu else {
      throw ShardStoreError(
        "the place for '\(name)' takes \(count) numbers of type \(dtype) on the cpu, side by side, not a tensor of shape "
          + "\(tensor.shape) and type \(tensor.dtype) on \(tensor.device)")
    }
  }
}

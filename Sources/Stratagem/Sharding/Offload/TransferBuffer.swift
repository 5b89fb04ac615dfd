internal import Torch

/// Memory that vectors of a store pass through.
final class TransferBuffer {
  let memory: Tensor
  /// What is on its way to or from it.
  private var transfers = PendingTransfers()

  init(_ memory: Tensor) { self.memory = memory }

  /// A part of it.
  func vector(at offset: Int, count: Int) -> Tensor { memory.narrowed(dim: 0, start: offset, length: count) }

  func startLoading(_ slot: ShardSlot, from store: any ShardStore, at offset: Int) throws {
    transfers.add(try store.startLoading(slot, into: vector(at: offset, count: slot.count)))
  }

  func startSaving(_ slot: ShardSlot, to store: any ShardStore, at offset: Int) throws {
    transfers.add(try store.startSaving(vector(at: offset, count: slot.count), to: slot))
  }

  /// Waits for everything that is on its way.
  ///
  /// - Throws: the first error, when all of it has ended.
  func wait() throws { try transfers.wait() }
}

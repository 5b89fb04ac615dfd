internal import Torch

/// Loads the places of sub-groups; parameters that share one follow each other. The vector that was loaded last stays in
/// memory until ``forget()``.
final class SlotReader {
  private let store: any ShardStore
  private var last: (slot: ShardSlot, vector: Tensor)?

  init(_ store: any ShardStore) { self.store = store }

  func load(_ slot: ShardSlot) throws -> Tensor {
    if let last, last.slot == slot { return last.vector }
    last = nil
    let vector = try store.load(slot)
    last = (slot, vector)
    return vector
  }

  func forget() { last = nil }
}

internal import Torch

/// A vector of the state of a parameter, in the sub-groups that have parts of it.
final class StoredState: StoredElements {
  struct Part {
    /// Elements of the parameter.
    let range: Range<Int>
    let slot: ShardSlot
    /// Where they begin in the place of the sub-group.
    let offset: Int
  }

  let count: Int
  let dtype: DType
  private let parts: [Part]
  private let reader: SlotReader

  init(count: Int, dtype: DType, parts: [Part], reader: SlotReader) {
    self.count = count
    self.dtype = dtype
    self.parts = parts
    self.reader = reader
  }

  func forEachPart(of range: Range<Int>, _ body: (Tensor) throws -> Void) throws {
    for part in parts {
      let wanted = part.range.clamped(to: range)
      guard !wanted.isEmpty else { continue }
      let vector = try reader.load(part.slot)
      try body(
        vector.narrowed(
          dim: 0, start: part.offset + wanted.lowerBound - part.range.lowerBound, length: wanted.count))
    }
  }
}

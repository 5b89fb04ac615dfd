import Torch

/// The search for an index that is out of range, so that the error can name it.
enum IndexCheck {
  /// Returns the first element outside `0..<count` other than `ignored`, and its position.
  ///
  /// Only int64 tensors in CPU memory are looked at: reading others would wait for their device, and libtorch reports
  /// those itself. Costs about a nanosecond per index.
  static func firstOutside(
    _ indices: Tensor, count: Int?, except ignored: Int? = nil
  ) -> (value: Int, position: String)? {
    guard let count, !indices.isPoisoned, indices.dtype == .int64, indices.device == .cpu, indices.isContiguous else {
      return nil
    }
    let limit = UInt(bitPattern: max(count, 0))
    let found: (offset: Int, value: Int)? = indices.withUnsafeBytes { bytes in
      let values = bytes.bindMemory(to: Int.self)
      for offset in values.indices where UInt(bitPattern: values[offset]) >= limit && values[offset] != ignored {
        return (offset, values[offset])
      }
      return nil
    }
    return found.map { ($0.value, position(of: $0.offset, in: indices.shape)) }
  }

  /// The position of the element at `offset` of a row-major tensor: `3`, or `[0, 2]` in more dimensions.
  private static func position(of offset: Int, in shape: [Int]) -> String {
    if shape.count < 2 { return String(offset) }
    var rest = offset
    var position: [Int] = []
    for size in shape.reversed() {
      position.append(rest % size)
      rest /= size
    }
    return "\(Array(position.reversed()))"
  }
}

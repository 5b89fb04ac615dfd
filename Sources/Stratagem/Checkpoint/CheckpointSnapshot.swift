internal import Torch

/// Copies the tensors of a checkpoint, so that training can go on while the copy is written.
///
/// Tensors that share memory are copied once and share it in the copy too; those of an accelerator come to the CPU.
struct CheckpointSnapshot {
  private struct Storage: Hashable {
    let identifier: UInt
    let device: String
    let dtype: DType
  }

  /// The elements of a storage that tensors cover, and their copy once it was made.
  private struct Region {
    var range: Range<Int>
    var tensorCount = 1
    var copy: Tensor?
  }

  private struct Size: Hashable {
    let dtype: DType
    let count: Int
  }

  private var regions: [Storage: Region] = [:]
  private var copies: [ObjectIdentifier: Tensor] = [:]
  private var spare: [Size: [Tensor]] = [:]
  private var used: [Tensor] = []

  /// - Parameter memory: that of an earlier snapshot, which is overwritten: memory that was in use before takes a copy
  ///   faster than new one.
  /// - Returns: the copy, and the memory it is in.
  static func copy(_ checkpoint: Checkpoint, reusing memory: [Tensor] = []) -> (copy: Checkpoint, memory: [Tensor]) {
    withoutGradients {
      var snapshot = CheckpointSnapshot()
      for tensor in memory {
        snapshot.spare[Size(dtype: tensor.dtype, count: tensor.count), default: []].append(tensor)
      }
      snapshot.find(.dictionary(checkpoint.contents))
      guard case .dictionary(let contents) = snapshot.copy(.dictionary(checkpoint.contents)) else {
        return (checkpoint, [])
      }
      return (Checkpoint(contents), snapshot.used)
    }
  }

  private mutating func find(_ value: ArchiveValue) {
    switch value {
    case .tensor(let tensor):
      guard let range = Self.range(of: tensor) else { return }
      let storage = Self.storage(of: tensor)
      if let known = regions[storage] {
        regions[storage]?.range =
          min(known.range.lowerBound, range.lowerBound)..<max(known.range.upperBound, range.upperBound)
        regions[storage]?.tensorCount += 1
      } else {
        regions[storage] = Region(range: range)
      }
    case .list(let values), .tuple(let values): for value in values { find(value) }
    case .dictionary(let dictionary): for (_, value) in dictionary { find(value) }
    case .none, .bool, .int, .double, .string: break
    }
  }

  private mutating func copy(_ value: ArchiveValue) -> ArchiveValue {
    switch value {
    case .tensor(let tensor): return .tensor(copy(tensor))
    case .list(let values): return .list(values.map { copy($0) })
    case .tuple(let values): return .tuple(values.map { copy($0) })
    case .dictionary(var dictionary):
      for (key, value) in dictionary { dictionary[key] = copy(value) }
      return .dictionary(dictionary)
    case .none, .bool, .int, .double, .string: return value
    }
  }

  private mutating func copy(_ tensor: Tensor) -> Tensor {
    if let copied = copies[ObjectIdentifier(tensor)] { return copied }
    let copied = makeCopy(of: tensor)
    copies[ObjectIdentifier(tensor)] = copied
    return copied
  }

  private mutating func makeCopy(of tensor: Tensor) -> Tensor {
    let source = tensor.detached()
    // What cannot be saved is left for the writer to refuse.
    guard let range = Self.range(of: tensor) else { return source }
    let storage = Self.storage(of: tensor)
    guard let region = regions[storage], region.tensorCount > 1 else { return copied(source) }
    let whole: Tensor
    if let copy = region.copy {
      whole = copy
    } else {
      whole = copied(
        source.asStrided(size: [region.range.count], stride: [1], offset: region.range.lowerBound))
      regions[storage]?.copy = whole
    }
    return whole.asStrided(
      size: tensor.shape, stride: tensor.strides, offset: range.lowerBound - region.range.lowerBound)
  }

  /// The values in memory of the CPU.
  private mutating func copied(_ tensor: Tensor) -> Tensor {
    let size = Size(dtype: tensor.dtype, count: tensor.count)
    let memory = spare[size]?.popLast() ?? .empty([tensor.count], dtype: tensor.dtype)
    used.append(memory)
    let copy = memory.reshaped(tensor.shape)
    copy.copy(from: tensor)
    return copy
  }

  private static func storage(of tensor: Tensor) -> Storage {
    Storage(identifier: tensor.storageIdentifier, device: "\(tensor.device)", dtype: tensor.dtype)
  }

  /// The elements of its storage that a tensor reaches over; nil when there are none.
  private static func range(of tensor: Tensor) -> Range<Int>? {
    guard !tensor.isPoisoned, tensor.count > 0 else { return nil }
    let reach = zip(tensor.shape, tensor.strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 }
    return tensor.storageOffset..<tensor.storageOffset + reach + 1
  }
}

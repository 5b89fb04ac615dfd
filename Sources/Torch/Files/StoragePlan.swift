/// Which storages a file gets, and where each tensor lies in them.
///
/// Tensors that share memory share a storage in the file too, which holds the range that they cover. A tensor on its
/// own that leaves gaps (a column of a matrix) is written as a contiguous copy.
struct StoragePlan {
  /// Where a tensor lies, counted in elements of its type.
  struct Place {
    let storage: Int
    let offset: Int
    let strides: [Int]
  }

  private struct Group: Hashable {
    let identifier: UInt
    let device: String
    let dtype: DType
  }

  private struct Storage {
    var tensors: [Tensor]
    var range: Range<Int>
    /// Whether elements are packed densely instead of copied as they lie.
    var isPacked = false
  }

  private var storages: [Storage] = []
  private var storageOfTensor: [ObjectIdentifier: Int] = [:]
  private var storageOfGroup: [Group: Int] = [:]
  private let path: String
  /// Reads the values of a tensor on the meta device.
  private let load: ((Tensor) throws -> Tensor)?

  var storageCount: Int { storages.count }

  /// Bytes of all storages together.
  var byteCount: Int { storages.reduce(0) { $0 + $1.range.count * $1.tensors[0].dtype.byteCount } }

  /// - Parameters:
  ///   - path: file for errors.
  ///   - load: makes a tensor of the same shape and type for one on the meta device; without it such a tensor is refused.
  init(_ value: ArchiveValue, path: String, load: ((Tensor) throws -> Tensor)? = nil) throws(FileError) {
    self.path = path
    self.load = load
    var trail: [String] = []
    try collect(value, trail: &trail, path: path)
    for index in storages.indices where storages[index].tensors.count == 1 {
      let tensor = storages[index].tensors[0]
      guard tensor.count < storages[index].range.count else { continue }
      storages[index].isPacked = true
      storages[index].range = 0..<tensor.count
    }
  }

  func place(of tensor: Tensor) -> Place {
    let index = storageOfTensor[ObjectIdentifier(tensor)]!
    let storage = storages[index]
    if storage.isPacked || tensor.count == 0 {
      return Place(storage: index, offset: 0, strides: TensorLayout.contiguousStrides(tensor.shape))
    }
    return Place(
      storage: index, offset: tensor.storageOffset - storage.range.lowerBound, strides: tensor.strides)
  }

  func elementCount(of storage: Int) -> Int { storages[storage].range.count }

  /// Calls `body` with the bytes of a storage.
  func withBytes(of storage: Int, _ body: (UnsafeRawBufferPointer) -> Void) throws(FileError) {
    let storage = storages[storage]
    guard !storage.range.isEmpty else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
    let source = try loaded(storage.tensors[0]).detached()
    let flat =
      storage.isPacked
      ? source.contiguous()
      : source.asStrided(size: [storage.range.count], stride: [1], offset: storage.range.lowerBound)
    flat.to(.cpu).withUnsafeBytes(body)
  }

  private func loaded(_ tensor: Tensor) throws(FileError) -> Tensor {
    guard tensor.device.kind == .meta, let load else { return tensor }
    do { return try load(tensor) } catch {
      throw FileError(path: path, reason: "cannot be written, because a tensor of it cannot be read: \(error)")
    }
  }

  private mutating func collect(_ value: ArchiveValue, trail: inout [String], path: String) throws(FileError) {
    guard trail.count <= Pickle.maximumDepth else {
      throw FileError(path: path, reason: "cannot be written: values are nested more than \(Pickle.maximumDepth) deep")
    }
    switch value {
    case .tensor(let tensor): try add(tensor, trail: trail, path: path)
    case .list(let values), .tuple(let values):
      for (index, value) in values.enumerated() {
        trail.append("\(index)")
        try collect(value, trail: &trail, path: path)
        trail.removeLast()
      }
    case .dictionary(let dictionary):
      for (key, value) in dictionary {
        trail.append("\(key)")
        try collect(value, trail: &trail, path: path)
        trail.removeLast()
      }
    case .none, .bool, .int, .double, .string: break
    }
  }

  private mutating func add(_ tensor: Tensor, trail: [String], path: String) throws(FileError) {
    guard storageOfTensor[ObjectIdentifier(tensor)] == nil else { return }
    if load != nil, tensor.device.kind == .meta, !tensor.isPoisoned {
      storageOfTensor[ObjectIdentifier(tensor)] = storages.count
      storages.append(Storage(tensors: [tensor], range: 0..<tensor.count, isPacked: true))
      return
    }
    if let obstacle = tensor.obstacleToSaving {
      throw FileError(
        path: path, reason: "cannot be written: the tensor at \(trail.joined(separator: ".")) \(obstacle)")
    }
    var range = 0..<0
    if tensor.count > 0 {
      let reach = zip(tensor.shape, tensor.strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 }
      range = tensor.storageOffset..<tensor.storageOffset + reach + 1
    }
    let group = Group(identifier: tensor.storageIdentifier, device: "\(tensor.device)", dtype: tensor.dtype)
    if !range.isEmpty, let known = storageOfGroup[group] {
      let old = storages[known].range
      storages[known].tensors.append(tensor)
      storages[known].range = min(old.lowerBound, range.lowerBound)..<max(old.upperBound, range.upperBound)
      storageOfTensor[ObjectIdentifier(tensor)] = known
    } else {
      if !range.isEmpty { storageOfGroup[group] = storages.count }
      storageOfTensor[ObjectIdentifier(tensor)] = storages.count
      storages.append(Storage(tensors: [tensor], range: range))
    }
  }
}

/// Writes a value as a protocol 2 pickle that `torch.load(weights_only=True)` accepts.
struct PickleWriter {
  private typealias Operation = Pickle.Operation

  /// The finished pickle: the record `data.pkl`.
  private(set) var bytes: [UInt8] = [Operation.proto, 2]
  private let storages: StoragePlan
  private var memo: [String: Int] = [:]

  /// - Parameter storages: where every tensor of `value` lies.
  init(_ value: ArchiveValue, storages: StoragePlan) {
    self.storages = storages
    write(value)
    bytes.append(Operation.stop)
  }

  private mutating func write(_ value: ArchiveValue) {
    switch value {
    case .none: bytes.append(Operation.none)
    case .bool(let value): bytes.append(value ? Operation.newTrue : Operation.newFalse)
    case .int(let value): write(value)
    case .double(let value):
      bytes.append(Operation.double)
      bytes.append(integer: value.bitPattern.byteSwapped)
    case .string(let value): write(value)
    case .tensor(let tensor): write(tensor)
    case .list(let values):
      bytes.append(Operation.emptyList)
      writeMarked(values, end: Operation.appends)
    case .tuple(let values):
      writeTuple(count: values.count) { writer in
        for value in values { writer.write(value) }
      }
    case .dictionary(let dictionary): write(dictionary)
    }
  }

  private mutating func writeMarked(_ values: [ArchiveValue], end: UInt8) {
    guard !values.isEmpty else { return }
    bytes.append(Operation.mark)
    for value in values { write(value) }
    bytes.append(end)
  }

  private mutating func write(_ dictionary: ArchiveDictionary) {
    if dictionary.isOrderedDict {
      writeOrderedDict()
    } else {
      bytes.append(Operation.emptyDictionary)
    }
    guard !dictionary.isEmpty else { return }
    bytes.append(Operation.mark)
    for (key, value) in dictionary {
      switch key {
      case .string(let key): write(key)
      case .int(let key): write(key)
      }
      write(value)
    }
    bytes.append(Operation.setItems)
  }

  /// An empty `collections.OrderedDict`.
  private mutating func writeOrderedDict() {
    writeGlobal("collections", "OrderedDict")
    bytes += [Operation.emptyTuple, Operation.reduce]
  }

  private mutating func writeTuple(count: Int, _ body: (inout PickleWriter) -> Void) {
    if count == 0 {
      bytes.append(Operation.emptyTuple)
    } else {
      bytes.append(Operation.mark)
      body(&self)
      bytes.append(Operation.tuple)
    }
  }

  private mutating func write(_ integers: [Int]) {
    writeTuple(count: integers.count) { writer in
      for integer in integers { writer.write(integer) }
    }
  }

  private mutating func write(_ value: Int) {
    if let small = UInt8(exactly: value) {
      bytes += [Operation.uint8, small]
    } else if let small = UInt16(exactly: value) {
      bytes.append(Operation.uint16)
      bytes.append(integer: small)
    } else if let small = Int32(exactly: value) {
      bytes.append(Operation.int32)
      bytes.append(integer: small)
    } else {
      bytes += [Operation.long8, 8]
      bytes.append(integer: Int64(value))
    }
  }

  private mutating func write(_ text: String) {
    memoized("'" + text) { writer in
      let content = Array(text.utf8)
      writer.bytes.append(Operation.string32)
      writer.bytes.append(integer: UInt32(content.count))
      writer.bytes += content
    }
  }

  private mutating func writeGlobal(_ module: String, _ name: String) {
    memoized("\(module).\(name)") { writer in
      writer.bytes.append(Operation.global)
      writer.bytes += Array("\(module)\n\(name)\n".utf8)
    }
  }

  /// Writes what stands for `key` once, and a reference to it afterwards.
  private mutating func memoized(_ key: String, _ body: (inout PickleWriter) -> Void) {
    let known = memo[key]
    let index = known ?? memo.count
    if known == nil {
      memo[key] = index
      body(&self)
    }
    if let short = UInt8(exactly: index) {
      bytes += [known == nil ? Operation.put8 : Operation.get8, short]
    } else {
      bytes.append(known == nil ? Operation.put32 : Operation.get32)
      bytes.append(integer: UInt32(truncatingIfNeeded: index))
    }
  }

  /// As `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks)`.
  private mutating func write(_ tensor: Tensor) {
    let place = storages.place(of: tensor)
    writeGlobal("torch._utils", "_rebuild_tensor_v2")
    bytes += [Operation.mark, Operation.mark]
    write("storage")
    writeGlobal("torch", tensor.dtype.storageClass ?? "UntypedStorage")
    write(String(place.storage))
    write("cpu")
    write(storages.elementCount(of: place.storage))
    bytes += [Operation.tuple, Operation.persistentID]
    write(place.offset)
    write(tensor.shape)
    write(place.strides)
    bytes.append(Operation.newFalse)
    writeOrderedDict()
    bytes += [Operation.tuple, Operation.reduce]
  }
}

/// Reads a pickle as `torch.save` writes it (protocols 2 to 5) without executing anything.
///
/// A stack machine over a flat list of containers: no input makes it recurse, allocate more than in proportion to the
/// input, or trap. What is malformed or not plain data is refused with the byte at which it stands.
struct PickleReader {
  /// A storage that a tensor refers to: the record `data/KEY`.
  struct Storage {
    let key: String
    let dtype: DType?
    let elementCount: Int
  }

  /// Builds a tensor from a storage; a string says why it cannot.
  typealias TensorLoader = (_ storage: Storage, _ layout: TensorLayout) throws(FileError) -> Tensor

  /// A value while it is being built. Containers are indices into `containers`, as Python's are references.
  enum Object {
    case none
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
    /// A Python `bytes` object, which no value can hold.
    case bytes
    case tensor(Tensor)
    case storage(Storage)
    case global(PickleGlobal)
    case container(Int)
  }

  enum ContainerKind: Equatable {
    case list, tuple, dictionary, orderedDict
    /// An instance of a Python class, read as the dictionary of its values.
    case instance(String)

    var isDictionary: Bool { self != .list && self != .tuple }
  }

  struct Container {
    let kind: ContainerKind
    /// Elements; for dictionaries keys and values in turn.
    var items: [Object] = []
    var finished: ArchiveValue?
    /// The values in it, those in containers in it included.
    var valueCount = 0
  }

  private typealias Operation = Pickle.Operation

  let bytes: [UInt8]
  private let path: String
  private let record: String
  let load: TensorLoader
  /// Python modules whose classes are read as the dictionaries of their values.
  let classes: [String]
  private var position = 0
  /// Entries that were copied from one dictionary to another; bounded, as a few bytes can ask for many.
  var copiedCount = 0
  /// The values that there are so far, as often as they are referred to.
  var valueCount = 0
  private var start = 0
  var containers: [Container] = []
  private var stack: [Object] = []
  private var marks: [Int] = []
  private var memo: [Int: Object] = [:]

  private init(_ bytes: [UInt8], path: String, record: String, classes: [String], load: @escaping TensorLoader) {
    self.bytes = bytes
    self.path = path
    self.record = record
    self.classes = classes
    self.load = load
  }

  /// - Parameters:
  ///   - path: the file, for errors.
  ///   - record: name of the pickle within the file, for errors.
  ///   - classes: Python modules whose classes are read, too: an instance as the dictionary of its values, and a
  ///     dictionary with instances as keys as a list of pairs.
  ///   - load: builds the tensors.
  static func value(
    of bytes: [UInt8], path: String, record: String = "data.pkl", classes: [String] = [], load: @escaping TensorLoader
  ) throws(FileError) -> ArchiveValue {
    var reader = PickleReader(bytes, path: path, record: record, classes: classes, load: load)
    let result = try reader.run()
    var trail: [String] = []
    return try reader.finish(result, trail: &trail)
  }

  private mutating func run() throws(FileError) -> Object {
    while true {
      start = position
      let operation = try byte()
      if operation == Operation.stop {
        guard marks.isEmpty, stack.count == 1 else { throw malformed("the stack is not empty at its end") }
        return try pop()
      }
      try perform(operation)
    }
  }

  private mutating func perform(_ operation: UInt8) throws(FileError) {
    switch operation {
    case Operation.proto:
      let version = try byte()
      guard (2...5).contains(version) else { throw malformed("pickle protocol \(version) is not one of 2 to 5") }
    case Operation.frame: _ = try take(8)
    case Operation.mark: marks.append(stack.count)
    case Operation.pop: _ = try pop()
    case Operation.popMark: _ = try popMarked()
    case Operation.duplicate: stack.append(try top())
    case Operation.none: stack.append(.none)
    case Operation.newTrue: stack.append(.bool(true))
    case Operation.newFalse: stack.append(.bool(false))
    case Operation.uint8: stack.append(.int(Int(try integer(UInt8.self))))
    case Operation.uint16: stack.append(.int(Int(try integer(UInt16.self))))
    case Operation.int32: stack.append(.int(Int(try integer(Int32.self))))
    case Operation.long8: stack.append(.int(try long(count: Int(try byte()))))
    case Operation.long32: stack.append(.int(try long(count: try count(UInt32.self))))
    case Operation.double: stack.append(.double(Double(bitPattern: try integer(UInt64.self).byteSwapped)))
    case Operation.string8: stack.append(.string(try text(count: Int(try byte()))))
    case Operation.string32: stack.append(.string(try text(count: try count(UInt32.self))))
    case Operation.string64: stack.append(.string(try text(count: try count(UInt64.self))))
    case Operation.bytes8: stack.append(.string(try text(count: Int(try byte()))))
    case Operation.bytes32: stack.append(.string(try text(count: try count(UInt32.self))))
    case Operation.binary8: try pushBytes(count: Int(byte()))
    case Operation.binary32: try pushBytes(count: count(UInt32.self))
    case Operation.binary64, Operation.byteArray: try pushBytes(count: count(UInt64.self))
    case Operation.emptyTuple: push(.tuple, [])
    case Operation.tuple1: push(.tuple, try pop(1))
    case Operation.tuple2: push(.tuple, try pop(2))
    case Operation.tuple3: push(.tuple, try pop(3))
    case Operation.tuple: push(.tuple, try popMarked())
    case Operation.emptyList: push(.list, [])
    case Operation.list: push(.list, try popMarked())
    case Operation.emptyDictionary: push(.dictionary, [])
    case Operation.dictionary: push(.dictionary, try pairs(popMarked()))
    case Operation.append: try extend(with: pop(1), toDictionary: false)
    case Operation.appends: try extend(with: popMarked(), toDictionary: false)
    case Operation.setItem: try extend(with: pop(2), toDictionary: true)
    case Operation.setItems: try extend(with: pairs(popMarked()), toDictionary: true)
    case Operation.put8: memo[Int(try byte())] = try top()
    case Operation.put32: memo[try count(UInt32.self)] = try top()
    case Operation.memoize: memo[memo.count] = try top()
    case Operation.get8: stack.append(try remembered(Int(try byte())))
    case Operation.get32: stack.append(try remembered(try count(UInt32.self)))
    case Operation.global: stack.append(.global(try global(module: line(), name: line())))
    case Operation.stackGlobal:
      guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
        throw malformed("the name of a class is not text")
      }
      stack.append(.global(try global(module: module, name: name)))
    case Operation.persistentID: stack.append(.storage(try storage(pop())))
    case Operation.reduce, Operation.newObject:
      let arguments = try pop()
      stack.append(try construct(try pop(), arguments))
    case Operation.build: try build(state: pop())
    default: throw malformed("operation 0x\(String(operation, radix: 16)) does not stand for plain data")
    }
  }
}

// The stack.
extension PickleReader {
  private mutating func push(_ kind: ContainerKind, _ items: [Object]) {
    stack.append(new(kind, items))
  }

  mutating func new(_ kind: ContainerKind, _ items: [Object]) -> Object {
    containers.append(Container(kind: kind, items: items))
    return .container(containers.count - 1)
  }

  /// The values above the last mark are out of reach of single operations.
  private var floor: Int { marks.last ?? 0 }

  func top() throws(FileError) -> Object {
    guard stack.count > floor, let last = stack.last else { throw malformed("a value is missing") }
    return last
  }

  private mutating func pop() throws(FileError) -> Object {
    let last = try top()
    stack.removeLast()
    return last
  }

  private mutating func pop(_ count: Int) throws(FileError) -> [Object] {
    guard stack.count - floor >= count else { throw malformed("a value is missing") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popMarked() throws(FileError) -> [Object] {
    guard let mark = marks.popLast() else { throw malformed("a mark is missing") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private func pairs(_ items: [Object]) throws(FileError) -> [Object] {
    guard items.count.isMultiple(of: 2) else { throw malformed("a dictionary has a key without a value") }
    return items
  }

  private mutating func extend(with items: [Object], toDictionary: Bool) throws(FileError) {
    guard case .container(let index) = try top(), containers[index].kind != .tuple,
      containers[index].kind.isDictionary == toDictionary
    else { throw malformed(toDictionary ? "a key is set on no dictionary" : "a value is appended to no list") }
    containers[index].items += items
  }

  private func remembered(_ index: Int) throws(FileError) -> Object {
    guard let object = memo[index] else { throw malformed("it refers to value \(index), which does not stand before") }
    return object
  }
}

// Numbers and text.
extension PickleReader {
  private mutating func take(_ count: Int) throws(FileError) -> ArraySlice<UInt8> {
    guard count <= bytes.count - position else { throw malformed("it is truncated") }
    defer { position += count }
    return bytes[position..<position + count]
  }

  private mutating func byte() throws(FileError) -> UInt8 { try integer(UInt8.self) }

  private mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws(FileError) -> Value {
    guard let value = bytes.integer(Value.self, at: position) else { throw malformed("it is truncated") }
    position += MemoryLayout<Value>.size
    return value
  }

  /// A length or an index.
  private mutating func count<Value: FixedWidthInteger>(_ type: Value.Type) throws(FileError) -> Int {
    guard let count = Int(exactly: try integer(type)) else { throw malformed("a length is out of range") }
    return count
  }

  /// A little-endian integer in two's complement.
  private mutating func long(count: Int) throws(FileError) -> Int {
    let digits = try take(count)
    guard let last = digits.last else { return 0 }
    let sign: UInt8 = last & 0x80 == 0 ? 0 : 0xFF
    var value: UInt64 = sign == 0 ? 0 : .max
    for digit in digits.prefix(8).reversed() { value = value << 8 | UInt64(digit) }
    let result = Int(Int64(bitPattern: value))
    guard digits.dropFirst(8).allSatisfy({ $0 == sign }), digits.count < 8 || (result < 0) == (sign != 0) else {
      throw refused("an integer of \(digits.count) bytes, which does not fit 64 bits")
    }
    return result
  }

  private mutating func text(count: Int) throws(FileError) -> String {
    guard let text = String(validating: try take(count), as: UTF8.self) else {
      throw malformed("a text is not UTF-8")
    }
    return text
  }

  private mutating func pushBytes(count: Int) throws(FileError) {
    _ = try take(count)
    stack.append(.bytes)
  }

  private mutating func line() throws(FileError) -> String {
    guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else { throw malformed("it is truncated") }
    let line = try text(count: end - position)
    position += 1
    return line
  }

  func malformed(_ what: String) -> FileError {
    FileError(path: path, reason: "is damaged in record '\(record)', byte \(start) of \(bytes.count): \(what)")
  }

  func refused(_ what: String) -> FileError {
    FileError(
      path: path, reason: "holds \(what) (record '\(record)', byte \(start)); only tensors and plain values are read")
  }
}

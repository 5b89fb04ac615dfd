/// What classes and functions stand for.
extension PickleReader {
  func global(module: String, name: String) throws(FileError) -> PickleGlobal {
    if let known = PickleGlobal(module: module, name: name) { return known }
    if classes.contains(where: { module == $0 || module.hasPrefix($0 + ".") }) { return .instance("\(module).\(name)") }
    if module == "_codecs" { throw refused("a Python bytes object") }
    let types = ["uint", "int", "float", "bfloat", "complex", "quint", "qint"]
    // What has such a type is named by those who know the key.
    if module == "torch", !classes.isEmpty, types.contains(where: { name.hasPrefix($0) }) {
      return .name("torch.\(name)")
    }
    if module == "torch", name.hasSuffix("Storage") || types.contains(where: { name.hasPrefix($0) }) {
      throw refused("tensors of torch.\(name), a type that Stratagem does not have")
    }
    throw refused("Python's \(module).\(name)")
  }

  private func items(_ object: Object, of kind: ContainerKind) -> [Object]? {
    guard case .container(let index) = object, containers[index].kind == kind else { return nil }
    return containers[index].items
  }

  /// From `("storage", class, key, location, element count)`.
  func storage(_ object: Object) throws(FileError) -> Storage {
    guard let parts = items(object, of: .tuple), parts.count >= 5,
      case .string("storage") = parts[0], case .global(.storage(let dtype)) = parts[1],
      case .string(let key) = parts[2], case .int(let count) = parts[4], count >= 0
    else { throw malformed("a storage is not described as torch.save does") }
    return Storage(key: key, dtype: dtype, elementCount: count)
  }

  /// What calling `callee` in Python would return.
  mutating func construct(_ callee: Object, _ arguments: Object) throws(FileError) -> Object {
    guard case .global(let global) = callee, let arguments = items(arguments, of: .tuple) else {
      throw malformed("what is called is no class or function")
    }
    switch global {
    case .rebuildTensor(let isTyped): return .tensor(try tensor(arguments, isTyped: isTyped))
    case .rebuildParameter:
      guard case .tensor(let tensor)? = arguments.first else { throw malformed("a parameter has no tensor") }
      return .tensor(tensor)
    case .rebuildFromType:
      guard arguments.count == 4, case .global(let function) = arguments[0], case .global(.name) = arguments[1] else {
        throw malformed("a tensor is not described as torch.save does")
      }
      if case .rebuildFromType = function { throw malformed("a tensor is not described as torch.save does") }
      return try construct(.global(function), arguments[2])
    case .orderedDict: return new(.orderedDict, try entries(of: arguments))
    case .dictionaryClass(let name): return new(.instance(name), try entries(of: arguments))
    case .instance(let name): return new(.instance(name), [.string("arguments"), new(.tuple, arguments)])
    case .size:
      guard arguments.count == 1, let sizes = items(arguments[0], of: .tuple) else {
        throw malformed("a torch.Size is not made of a tuple")
      }
      return new(.tuple, sizes)
    case .text(let separator):
      let parts = arguments.compactMap { part -> String? in
        switch part {
        case .string(let text): text
        case .int(let number): String(number)
        default: nil
        }
      }
      guard parts.count == arguments.count else { throw malformed("a path or device is not made of text") }
      let joined = parts.joined(separator: separator)
      return .string(joined.hasPrefix("//") ? String(joined.dropFirst()) : joined)
    case .storage, .name: throw malformed("a class is called that only has a name")
    }
  }

  /// Contents of a dictionary made from nothing, a type (`defaultdict`), a dictionary, or a list of pairs.
  private mutating func entries(of arguments: [Object]) throws(FileError) -> [Object] {
    var contents: [Object] = []
    for argument in arguments {
      try countCopies(of: argument)
      switch argument {
      case .global, .none: continue
      case .container(let index) where containers[index].kind.isDictionary: contents += containers[index].items
      case .container(let index) where containers[index].kind == .list:
        for pair in containers[index].items {
          let pair = items(pair, of: .tuple) ?? items(pair, of: .list)
          guard let pair, pair.count == 2 else { throw malformed("a dictionary is not made of pairs") }
          contents += pair
        }
      default: throw malformed("a dictionary is made of something else")
      }
    }
    return contents
  }

  private mutating func countCopies(of object: Object) throws(FileError) {
    guard case .container(let index) = object else { return }
    copiedCount += containers[index].items.count
    guard copiedCount <= bytes.count else { throw malformed("dictionaries are copied over and over") }
  }

  /// Attributes of an instance become its entries; those of an `OrderedDict` (`_metadata`) or a tensor are left out.
  mutating func build(state: Object) throws(FileError) {
    switch try top() {
    case .tensor: return
    case .container(let index):
      guard case .instance = containers[index].kind else {
        guard containers[index].kind == .orderedDict else { break }
        return
      }
      guard let attributes = items(state, of: .dictionary) else {
        guard !classes.isEmpty else { break }
        containers[index].items += [.string("state"), state]
        return
      }
      try countCopies(of: state)
      containers[index].items += attributes
      return
    default: break
    }
    throw malformed("attributes are set on a value that has none")
  }

  /// From `(storage, offset, size, stride, ...)`; the seventh argument of the typed form is the type.
  private func tensor(_ arguments: [Object], isTyped: Bool) throws(FileError) -> Tensor {
    guard arguments.count >= (isTyped ? 7 : 4), case .storage(let storage) = arguments[0],
      case .int(let offset) = arguments[1],
      let shape = items(arguments[2], of: .tuple), let strides = items(arguments[3], of: .tuple)
    else { throw malformed("a tensor is not described as torch.save does") }
    func integers(_ objects: [Object]) throws(FileError) -> [Int] {
      var integers: [Int] = []
      for object in objects {
        guard case .int(let integer) = object else { throw malformed("a size or stride is no integer") }
        integers.append(integer)
      }
      return integers
    }
    var dtype = storage.dtype
    if isTyped {
      guard case .global(.name(let name)) = arguments[6], let named = DType(pythonName: String(name.dropFirst(6)))
      else {
        throw malformed("the type of a tensor is unknown")
      }
      dtype = named
    }
    guard let dtype else { throw malformed("the type of a tensor is unknown") }
    guard
      let layout = TensorLayout(
        dtype: dtype, offset: offset, shape: try integers(shape), strides: try integers(strides))
    else { throw malformed("sizes, strides or offset of a tensor are out of range") }
    return try load(storage, layout)
  }
}

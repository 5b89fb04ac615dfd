extension PickleReader {
  /// Turns what was built into a value. A container is turned once, however often it is referred to.
  mutating func finish(_ object: Object, trail: inout [String]) throws(FileError) -> ArchiveValue {
    valueCount += 1
    switch object {
    case .none: return .none
    case .bool(let value): return .bool(value)
    case .int(let value): return .int(value)
    case .double(let value): return .double(value)
    case .string(let value): return .string(value)
    case .tensor(let tensor): return .tensor(tensor)
    case .global(.name(let name)), .global(.instance(let name)): return .string(name)
    case .container(let index): return try finish(container: index, trail: &trail)
    case .bytes where !classes.isEmpty: return .none
    case .bytes: throw refused("a Python bytes object at \(shown(trail))")
    case .storage: throw refused("a storage without a tensor at \(shown(trail))")
    case .global: throw refused("a Python class or function instead of a value at \(shown(trail))")
    }
  }

  private mutating func finish(container index: Int, trail: inout [String]) throws(FileError) -> ArchiveValue {
    if let finished = containers[index].finished {
      try count(containers[index].valueCount)
      return finished
    }
    let countBefore = valueCount
    guard trail.count < Pickle.maximumDepth else {
      throw refused("values that are nested more than \(Pickle.maximumDepth) deep or contain themselves")
    }
    let container = containers[index]
    let result: ArchiveValue
    switch container.kind {
    case .list: result = .list(try finish(elements: container.items, trail: &trail))
    case .tuple: result = .tuple(try finish(elements: container.items, trail: &trail))
    case .dictionary where !classes.isEmpty && hasOtherKeys(container): result = try finish(pairs: container, &trail)
    case .dictionary, .orderedDict, .instance:
      result = .dictionary(try finish(dictionary: container, trail: &trail))
    }
    containers[index].finished = result
    containers[index].valueCount = valueCount - countBefore
    return result
  }

  /// Counts values that are there once more. Who walks through all values must come to an end.
  private mutating func count(_ more: Int) throws(FileError) {
    valueCount += more
    guard valueCount <= max(1 << 20, 16 * bytes.count) else {
      throw refused("containers that refer to others so often that there would be over \(valueCount) values")
    }
  }

  private mutating func finish(elements: [Object], trail: inout [String]) throws(FileError) -> [ArchiveValue] {
    var values: [ArchiveValue] = []
    values.reserveCapacity(elements.count)
    for (position, element) in elements.enumerated() {
      trail.append("\(position)")
      values.append(try finish(element, trail: &trail))
      trail.removeLast()
    }
    return values
  }

  /// Whether there are keys that an `ArchiveDictionary` cannot have.
  private func hasOtherKeys(_ container: Container) -> Bool {
    stride(from: 0, to: container.items.count - 1, by: 2).contains { position in
      switch container.items[position] {
      case .string, .int: false
      default: true
      }
    }
  }

  private mutating func finish(pairs container: Container, _ trail: inout [String]) throws(FileError) -> ArchiveValue {
    var pairs: [ArchiveValue] = []
    for position in stride(from: 0, to: container.items.count - 1, by: 2) {
      trail.append("\(position / 2)")
      let key = try finish(container.items[position], trail: &trail)
      pairs.append(.tuple([key, try finish(container.items[position + 1], trail: &trail)]))
      trail.removeLast()
    }
    return .list(pairs)
  }

  private mutating func finish(
    dictionary container: Container, trail: inout [String]
  ) throws(FileError) -> ArchiveDictionary {
    var dictionary = ArchiveDictionary()
    dictionary.isOrderedDict = container.kind == .orderedDict
    if case .instance(let name) = container.kind { dictionary.pythonClass = name }
    for position in stride(from: 0, to: container.items.count - 1, by: 2) {
      let key: ArchiveDictionary.Key
      switch container.items[position] {
      case .string(let text): key = .string(text)
      case .int(let number): key = .int(number)
      default: throw refused("a dictionary at \(shown(trail)) with a key that is neither text nor an integer")
      }
      trail.append("\(key)")
      dictionary[key] = try finish(container.items[position + 1], trail: &trail)
      trail.removeLast()
    }
    return dictionary
  }

  private func shown(_ trail: [String]) -> String { trail.isEmpty ? "the top" : trail.joined(separator: ".") }
}

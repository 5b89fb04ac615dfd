public import OrderedCollections

/// A Python dictionary in the order of insertion, with strings and integers as keys.
public struct ArchiveDictionary {
  public enum Key: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral
  {
    case string(String)
    case int(Int)

    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .int(value) }

    public var description: String {
      switch self {
      case .string(let value): "'\(value)'"
      case .int(let value): "\(value)"
      }
    }
  }

  /// Whether it is written as `collections.OrderedDict`, as the `state_dict()` of a module is, rather than as `dict`.
  public var isOrderedDict = false
  /// The Python class that this dictionary stood for in the file it was read from, such as `argparse.Namespace`.
  ///
  /// Only its values were read. It is written as a plain dictionary.
  public internal(set) var pythonClass: String?

  private var storage: OrderedDictionary<Key, ArchiveValue> = [:]

  public init() {}

  /// An ordered dictionary of tensors, as Python's `state_dict()` returns.
  public init(_ state: StateDictionary) {
    isOrderedDict = true
    storage.reserveCapacity(state.count)
    for (name, tensor) in state { storage[.string(name)] = .tensor(tensor) }
  }

  public var count: Int { storage.count }
  public var isEmpty: Bool { storage.isEmpty }
  public var keys: [Key] { Array(storage.keys) }
  public var values: [ArchiveValue] { Array(storage.values) }

  /// The value of a string key. Assigning `nil` removes the key; assign `ArchiveValue.none` for Python's `None`.
  public subscript(key: String) -> ArchiveValue? {
    get { storage[.string(key)] }
    set { storage[.string(key)] = newValue }
  }

  /// The value of an integer key, as the `state` of an optimizer has them.
  public subscript(key: Int) -> ArchiveValue? {
    get { storage[.int(key)] }
    set { storage[.int(key)] = newValue }
  }

  public subscript(key: Key) -> ArchiveValue? {
    get { storage[key] }
    set { storage[key] = newValue }
  }

  /// The tensors by name when every key is a string and every value a tensor, otherwise `nil`.
  public var stateDictionary: StateDictionary? {
    var state = StateDictionary(minimumCapacity: count)
    for (key, value) in self {
      guard case .string(let name) = key, case .tensor(let tensor) = value else { return nil }
      state[name] = tensor
    }
    return state
  }
}

extension ArchiveDictionary: Sequence {
  public func makeIterator() -> AnyIterator<(key: Key, value: ArchiveValue)> {
    var base = storage.makeIterator()
    return AnyIterator { base.next().map { (key: $0.key, value: $0.value) } }
  }

  public var underestimatedCount: Int { count }
}

extension ArchiveDictionary: ExpressibleByDictionaryLiteral {
  /// A key that stands twice keeps its last value, as in Python.
  public init(dictionaryLiteral elements: (Key, ArchiveValue)...) {
    for (key, value) in elements { self[key] = value }
  }
}

extension ArchiveDictionary: CustomStringConvertible {
  public var description: String {
    let body = "{\(map { "\($0.key): \($0.value)" }.joined(separator: ", "))}"
    return isOrderedDict ? "OrderedDict(\(body))" : body
  }
}

public import Torch

/// Reads the entries of a saved dictionary one by one and collects what does not fit.
///
/// A reader never throws in the middle: an entry that is missing or of another type leaves the value as it was and
/// adds a sentence to ``problems``, so that one message can name all of them.
public struct StateReader {
  /// What was read from.
  public let entries: ArchiveDictionary
  /// One sentence per entry that did not fit.
  public private(set) var problems: [String] = []
  /// What messages put before each sentence, such as `group 1`.
  let context: String
  /// Whether tensors that need no conversion are taken over as they are, instead of being copied.
  package var sharesTensors = false

  /// Creates a reader of a dictionary.
  public init(_ entries: ArchiveDictionary, context: String = "") {
    self.entries = entries
    self.context = context
  }

  /// Creates a reader of a value that should be a dictionary.
  public init(_ value: ArchiveValue?, context: String = "") {
    self.init(value?.dictionaryValue ?? ArchiveDictionary(), context: context)
    if value?.dictionaryValue == nil { report("expected a dictionary, found \(Self.describe(value))") }
  }

  /// Adds a problem.
  public mutating func report(_ problem: String) {
    problems.append(context.isEmpty ? problem : "\(context): \(problem)")
  }

  /// Adds the problems of another reader.
  public mutating func absorb(_ other: StateReader) {
    problems += other.problems
  }

  /// Reads a number; an integer is taken too.
  public mutating func read(_ key: String, into value: inout Double) {
    read(key, "a number", into: &value, \.doubleValue)
  }

  /// Reads an integer.
  public mutating func read(_ key: String, into value: inout Int) {
    read(key, "an integer", into: &value, \.intValue)
  }

  /// Reads a truth value.
  public mutating func read(_ key: String, into value: inout Bool) {
    read(key, "a truth value", into: &value, \.boolValue)
  }

  /// Reads a string.
  public mutating func read(_ key: String, into value: inout String) {
    read(key, "a string", into: &value, \.stringValue)
  }

  /// Reads a list or tuple of numbers.
  public mutating func read(_ key: String, into values: inout [Double]) {
    read(key, "a list of numbers", into: &values) { Self.list($0, of: \.doubleValue) }
  }

  /// Reads a list or tuple of integers.
  public mutating func read(_ key: String, into values: inout [Int]) {
    read(key, "a list of integers", into: &values) { Self.list($0, of: \.intValue) }
  }

  /// Reads a truth value when there is one.
  public mutating func readIfPresent(_ key: String, into value: inout Bool) {
    if entries[key] != nil { read(key, into: &value) }
  }

  private mutating func read<Value>(
    _ key: String, _ kind: String, into value: inout Value, _ convert: (ArchiveValue) -> Value?
  ) {
    guard let entry = entries[key] else { return report("'\(key)' is missing") }
    guard let converted = convert(entry) else {
      return report("'\(key)' should be \(kind), found \(Self.describe(entry))")
    }
    value = converted
  }

  private static func list<Value>(_ value: ArchiveValue, of convert: (ArchiveValue) -> Value?) -> [Value]? {
    guard let elements = value.listValue else { return nil }
    var list: [Value] = []
    for element in elements {
      guard let converted = convert(element) else { return nil }
      list.append(converted)
    }
    return list
  }

  /// What kind of value something is, for messages.
  package static func describe(_ value: ArchiveValue?) -> String {
    switch value {
    case nil: "nothing"
    case .none?: "None"
    case .bool(let value)?: value ? "True" : "False"
    case .int(let value)?: "\(value)"
    case .double(let value)?: "\(value)"
    case .string(let value)?: "'\(value)'"
    case .tensor(let tensor)?: "a tensor of shape \(tensor.shape)"
    case .list(let elements)?: "a list of \(elements.count)"
    case .tuple(let elements)?: "a tuple of \(elements.count)"
    case .dictionary(let entries)?: "a dictionary of \(entries.count)"
    }
  }
}

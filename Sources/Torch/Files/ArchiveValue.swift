/// A value of a PyTorch file: what `torch.load(weights_only: True)` can return.
///
/// Checkpoints and optimizer states are trees of these values. Dictionary and list literals work:
/// ```swift
/// let checkpoint: ArchiveValue = ["epoch": 3, "lr": 0.1, "betas": .tuple([0.9, 0.999])]
/// ```
/// Where an `Optional` is expected, write `ArchiveValue.none` in full: a bare `.none` is the optional's.
public indirect enum ArchiveValue {
  case none
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(String)
  case tensor(Tensor)
  case list([ArchiveValue])
  case tuple([ArchiveValue])
  case dictionary(ArchiveDictionary)
}

extension ArchiveValue {
  /// Wraps a state dictionary as Python's `state_dict()` is written: an ordered dictionary of tensors.
  public init(_ state: StateDictionary) { self = .dictionary(ArchiveDictionary(state)) }

  public var isNone: Bool { if case .none = self { true } else { false } }
  public var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var intValue: Int? { if case .int(let value) = self { value } else { nil } }
  public var stringValue: String? { if case .string(let value) = self { value } else { nil } }
  public var tensorValue: Tensor? { if case .tensor(let value) = self { value } else { nil } }
  public var dictionaryValue: ArchiveDictionary? { if case .dictionary(let value) = self { value } else { nil } }

  /// The number, whether written as a float or as an integer.
  public var doubleValue: Double? {
    switch self {
    case .double(let value): value
    case .int(let value): Double(value)
    default: nil
    }
  }

  /// The elements of a list or of a tuple.
  public var listValue: [ArchiveValue]? {
    switch self {
    case .list(let values), .tuple(let values): values
    default: nil
    }
  }

  /// The tensors by name when this is a dictionary with string keys and nothing but tensors.
  public var stateDictionary: StateDictionary? { dictionaryValue?.stateDictionary }

  /// The value of a string key when this is a dictionary.
  public subscript(key: String) -> ArchiveValue? { dictionaryValue?[key] }
}

extension ArchiveValue: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int) { self = .int(value) }
  public init(floatLiteral value: Double) { self = .double(value) }
  public init(stringLiteral value: String) { self = .string(value) }
  public init(arrayLiteral elements: ArchiveValue...) { self = .list(elements) }
  /// A plain dictionary; a key that stands twice keeps its last value, as in Python.
  public init(dictionaryLiteral elements: (String, ArchiveValue)...) {
    var dictionary = ArchiveDictionary()
    for (key, value) in elements { dictionary[key] = value }
    self = .dictionary(dictionary)
  }
}

extension ArchiveValue: CustomStringConvertible {
  /// As Python prints it, with tensors as type and shape.
  public var description: String {
    switch self {
    case .none: "None"
    case .bool(let value): value ? "True" : "False"
    case .int(let value): "\(value)"
    case .double(let value): "\(value)"
    case .string(let value): "'\(value)'"
    case .tensor(let value): "tensor(\(value.dtype), \(value.shape))"
    case .list(let values): "[\(values.map(\.description).joined(separator: ", "))]"
    case .tuple(let values) where values.count == 1: "(\(values[0]),)"
    case .tuple(let values): "(\(values.map(\.description).joined(separator: ", ")))"
    case .dictionary(let value): value.description
    }
  }

  /// Python's word for the kind of value, for messages.
  package var kind: String {
    switch self {
    case .none: "None"
    case .bool: "bool"
    case .int: "int"
    case .double: "float"
    case .string: "str"
    case .tensor: "tensor"
    case .list: "list"
    case .tuple: "tuple"
    case .dictionary: "dict"
    }
  }
}

public import OrderedCollections

/// A value of a JSON document (RFC 8259); the members of an object keep their order.
///
/// Literals work: `["zero_optimization": ["stage": 2], "gradient_clipping": 1.0]`.
public indirect enum JSONValue: Hashable, Sendable {
  case null
  case bool(Bool)
  /// A number without fraction and exponent.
  case integer(Int)
  case number(Double)
  case string(String)
  case list([JSONValue])
  case object(OrderedDictionary<String, JSONValue>)
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(nilLiteral: ()) { self = .null }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(stringLiteral value: String) { self = .string(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .list(elements) }
  /// An object; of two members with the same name the later one counts.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(OrderedDictionary(elements) { _, later in later })
  }
}

extension JSONValue {
  /// The value of a member when this is an object that has it.
  public subscript(name: String) -> JSONValue? {
    if case .object(let members) = self { members[name] } else { nil }
  }

  /// The number, however it was written.
  public var doubleValue: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// The whole number, also one written as `5e8`.
  public var intValue: Int? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }

  /// How messages call the value.
  var shown: String {
    switch self {
    case .list(let elements): "a list of \(elements.count)"
    case .object(let members): "an object of \(members.count)"
    default: text(indent: 0)
    }
  }
}

extension JSONValue: CustomStringConvertible {
  /// The value as JSON: objects over several lines, indented by two spaces, lists on one.
  public var description: String { text(indent: 0) }

  private func text(indent: Int) -> String {
    switch self {
    case .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .integer(let value): return value.description
    case .number(let value): return value.isFinite ? value.description : "null"
    case .string(let value): return JSONLine.quoted(value)
    case .list(let elements): return "[" + elements.map { $0.text(indent: indent) }.joined(separator: ", ") + "]"
    case .object(let members):
      guard !members.isEmpty else { return "{}" }
      let margin = String(repeating: " ", count: indent + 2)
      let lines = members.map { "\(margin)\(JSONLine.quoted($0.key)): \($0.value.text(indent: indent + 2))" }
      return "{\n" + lines.joined(separator: ",\n") + "\n" + String(repeating: " ", count: indent) + "}"
    }
  }
}

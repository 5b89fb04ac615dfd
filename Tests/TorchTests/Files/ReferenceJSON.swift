import Foundation

/// JSON with numbers to the last bit, which `JSONSerialization` does not give on Linux.
indirect enum ReferenceJSON: Decodable {
  case null
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(String)
  case array([ReferenceJSON])
  case object([String: ReferenceJSON])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .int(value)
    } else if let value = try? container.decode(Double.self) {
      self = .double(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([ReferenceJSON].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: ReferenceJSON].self))
    }
  }

  static func file(_ name: String) throws -> ReferenceJSON {
    try JSONDecoder().decode(ReferenceJSON.self, from: Data(contentsOf: URL(fileURLWithPath: reference(name))))
  }

  subscript(key: String) -> ReferenceJSON? { if case .object(let members) = self { members[key] } else { nil } }
  var members: [String: ReferenceJSON] { if case .object(let members) = self { members } else { [:] } }
  var elements: [ReferenceJSON]? { if case .array(let elements) = self { elements } else { nil } }
  var string: String? { if case .string(let value) = self { value } else { nil } }
  var int: Int? { if case .int(let value) = self { value } else { nil } }
  var ints: [Int]? { elements?.compactMap(\.int) }

  /// Numbers, and truth values as 0 and 1.
  var number: Double? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .int(let value): Double(value)
    case .double(let value): value
    case .string("inf"): .infinity
    default: nil
    }
  }
  var numbers: [Double]? { elements?.compactMap(\.number) }
}

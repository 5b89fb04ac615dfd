internal import Stratagem

/// Reads values out of a configuration, and goes on with the default where one does not fit, so that all problems are
/// found at once.
struct ConfigDecoder: Decoder {
  /// What all decoders of one reading share.
  final class Session {
    var problems: [ConfigurationError.Problem] = []
  }

  let node: ConfigNode
  /// The default; nil where there is none, such as for the elements of a list.
  let fallback: ConfigNode?
  let path: [String]
  let session: Session

  var codingPath: [any CodingKey] { path.map { ConfigKey($0) } }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  /// Reads a value.
  ///
  /// - Parameter defaults: what is read where a value does not fit; of the same shape as what is encoded.
  /// - Returns: the value and what does not fit.
  static func decode<Value: Decodable>(
    _ type: Value.Type, from node: ConfigNode, defaults: ConfigNode, path: [String] = []
  ) throws -> (value: Value, problems: [ConfigurationError.Problem]) {
    let session = Session()
    let value = try read(type, node, fallback: defaults, path: path, session)
    return (value, session.problems)
  }

  /// Reads a value, or its default when it does not fit.
  static func read<Value: Decodable>(
    _ type: Value.Type, _ node: ConfigNode, fallback: ConfigNode?, path: [String], _ session: Session
  ) throws -> Value {
    do {
      return try decode(type, ConfigDecoder(node: node, fallback: fallback, path: path, session: session))
    } catch let error as ConfigMismatch {
      guard let fallback else { throw error }
      let value = try decode(type, ConfigDecoder(node: fallback, fallback: nil, path: path, session: Session()))
      session.problems.append(error.problem)
      return value
    }
  }

  private static func decode<Value: Decodable>(_ type: Value.Type, _ decoder: ConfigDecoder) throws -> Value {
    do {
      return try (decoder.primitive(type) as! Value?) ?? type.init(from: decoder)
    } catch DecodingError.dataCorrupted(let context) {
      if let choices = type as? any CaseIterable.Type { throw decoder.mismatch(decoder.names(of: choices)) }
      throw ConfigMismatch(
        path: context.codingPath.map(\.stringValue), node: decoder.node, accepted: "",
        detail: context.debugDescription)
    } catch DecodingError.keyNotFound(let key, let context) {
      let path = context.codingPath.map(\.stringValue) + [key.stringValue]
      throw ConfigMismatch(path: path, node: decoder.node, accepted: "", detail: "it is missing and has no default")
    }
  }

  func mismatch(_ accepted: String) -> ConfigMismatch { ConfigMismatch(path: path, node: node, accepted: accepted) }

  /// The names of an enumeration, those first that are most like what was written.
  private func names(of type: any CaseIterable.Type) -> String {
    func list<Choice: CaseIterable>(_ type: Choice.Type) -> [String] {
      type.allCases.map { ($0 as? any RawRepresentable)?.rawValue as? String ?? "\($0)" }
    }
    return NearestName.ranked(node.scalar?.text ?? "", among: list(type)).joined(separator: ", ")
  }

  /// The value of a type that a scalar stands for; nil for other types.
  private func primitive(_ type: any Decodable.Type) throws -> (any Decodable)? {
    func need<Value>(_ value: Value?, _ accepted: String) throws -> Value {
      guard let value, scalar?.isNull == false else { throw mismatch(accepted) }
      return value
    }
    let scalar = node.scalar
    switch type {
    case is Bool.Type: return try need(scalar?.isQuoted == true ? nil : scalar?.bool, "true or false")
    case is String.Type: return try need(scalar?.text, "a text")
    case is Double.Type: return try need(scalar?.double, "a number")
    case is Float.Type: return try need(scalar?.double.map(Float.init), "a number")
    case let type as any (FixedWidthInteger & Decodable).Type:
      func integer<Value: FixedWidthInteger & Decodable>(_ type: Value.Type) throws -> any Decodable {
        try need(
          scalar?.integer(type), type.isSigned ? "a whole number" : "a whole number from 0 to \(type.max)")
      }
      return try integer(type)
    default: return nil
    }
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard let map = node.map else { throw mismatch("settings of its own") }
    return KeyedDecodingContainer(ConfigKeyedReader<Key>(decoder: self, map: map))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard let list = node.list else { throw mismatch("a list such as [1, 2]") }
    return ConfigListReader(decoder: self, list: list)
  }

  func singleValueContainer() throws -> any SingleValueDecodingContainer { ConfigValueReader(decoder: self) }
}

/// The key of a setting or the place of an element.
struct ConfigKey: CodingKey {
  let stringValue: String
  var intValue: Int? { Int(stringValue) }

  init(_ text: String) { stringValue = text }
  init(stringValue: String) { self.stringValue = stringValue }
  init(intValue: Int) { stringValue = "\(intValue)" }
}

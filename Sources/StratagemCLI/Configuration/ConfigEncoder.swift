internal import OrderedCollections

/// Turns values into a configuration.
///
/// A property without a value is written as null, so that what is written says what settings there are.
final class ConfigEncoder: Encoder {
  var node = ConfigNode.null() {
    didSet {
      isUsed = true
      onChange(node)
    }
  }
  private var isUsed = false
  let codingPath: [any CodingKey]
  private let onChange: (ConfigNode) -> Void
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  private init(_ path: [any CodingKey], onChange: @escaping (ConfigNode) -> Void = { _ in }) {
    codingPath = path
    self.onChange = onChange
  }

  static func encode(_ value: some Encodable, path: [any CodingKey] = []) throws -> ConfigNode {
    switch value {
    case let value as Bool: return .plain("\(value)")
    case let value as String: return .text(value)
    case let value as Double: return .plain(text(of: value))
    case let value as Float: return .plain(value.isFinite ? "\(value)" : text(of: Double(value)))
    case let value as any FixedWidthInteger: return .plain("\(value)")
    default: break
    }
    let encoder = ConfigEncoder(path)
    try value.encode(to: encoder)
    // A type without properties may write nothing at all.
    var node = encoder.isUsed ? encoder.node : ConfigNode(content: .map([:]), origin: .program)
    if value is any FreelyKeyed { node.keys = .any }
    return node
  }

  private static func text(of number: Double) -> String {
    if number.isNaN { return ".nan" }
    return number.isInfinite ? (number < 0 ? "-.inf" : ".inf") : "\(number)"
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    if node.map == nil { node.content = .map([:]) }
    return KeyedEncodingContainer(ConfigKeyedWriter<Key>(encoder: self))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    node.content = .list([])
    return ConfigListWriter(encoder: self)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { ConfigValueWriter(encoder: self) }

  fileprivate func set(_ key: any CodingKey, _ value: ConfigNode) { node[[key.stringValue]] = value }

  fileprivate func append(_ value: ConfigNode) { node.content = .list((node.list ?? []) + [value]) }

  /// An encoder whose value becomes that of a key.
  fileprivate func child(_ key: any CodingKey) -> ConfigEncoder {
    ConfigEncoder(codingPath + [key]) { self.set(key, $0) }
  }

  /// An encoder whose value becomes the next element.
  fileprivate func element() -> ConfigEncoder {
    let index = node.list?.count ?? 0
    append(.null())
    return ConfigEncoder(codingPath + [ConfigKey("\(index)")]) { value in
      var list = self.node.list ?? []
      list[index] = value
      self.node.content = .list(list)
    }
  }
}

/// A dictionary: its keys are the user's own.
private protocol FreelyKeyed {}
extension Dictionary: FreelyKeyed {}

private struct ConfigKeyedWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let encoder: ConfigEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }

  func encodeNil(forKey key: Key) throws { encoder.set(key, .null()) }

  func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
    encoder.set(key, try ConfigEncoder.encode(value, path: codingPath + [key]))
  }

  private func write(_ value: (some Encodable)?, _ key: Key) throws {
    if let value { try encode(value, forKey: key) } else { try encodeNil(forKey: key) }
  }

  // The protocol's own versions, one for each type, leave out what is nil.
  func encodeIfPresent<Value: Encodable>(_ value: Value?, forKey key: Key) throws { try write(value, key) }
  func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try write(value, key) }
  func encodeIfPresent(_ value: String?, forKey key: Key) throws { try write(value, key) }
  func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try write(value, key) }
  func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try write(value, key) }
  func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try write(value, key) }
  func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try write(value, key) }
  func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try write(value, key) }
  func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try write(value, key) }
  func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try write(value, key) }
  func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try write(value, key) }
  func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try write(value, key) }
  func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try write(value, key) }
  func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try write(value, key) }
  func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try write(value, key) }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested>
  {
    encoder.child(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    encoder.child(key).unkeyedContainer()
  }

  func superEncoder() -> any Encoder { encoder }
  func superEncoder(forKey key: Key) -> any Encoder { encoder.child(key) }
}

private struct ConfigListWriter: UnkeyedEncodingContainer {
  let encoder: ConfigEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }
  var count: Int { encoder.node.list?.count ?? 0 }

  func encodeNil() throws { encoder.append(.null()) }
  func encode<Value: Encodable>(_ value: Value) throws {
    encoder.append(try ConfigEncoder.encode(value, path: codingPath))
  }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    encoder.element().container(keyedBy: type)
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { encoder.element().unkeyedContainer() }
  func superEncoder() -> any Encoder { encoder.element() }
}

private struct ConfigValueWriter: SingleValueEncodingContainer {
  let encoder: ConfigEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }

  func encodeNil() throws { encoder.node = .null() }
  func encode<Value: Encodable>(_ value: Value) throws {
    encoder.node = try ConfigEncoder.encode(value, path: codingPath)
  }
}

internal import Torch

/// Reads `Codable` values from the plain values of a checkpoint; the counterpart of ``ArchiveEncoder``.
struct ArchiveDecoder: Decoder {
  let value: ArchiveValue
  let codingPath: [any CodingKey]
  let userInfo: [CodingUserInfoKey: Any] = [:]

  static func decode<Value: Decodable>(_ type: Value.Type, from value: ArchiveValue) throws -> Value {
    try Single(value: value, codingPath: []).decode(type)
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard case .dictionary(let dictionary) = value else { throw mismatch([String: Any].self, "a dictionary") }
    return KeyedDecodingContainer(Keyed(dictionary: dictionary, codingPath: codingPath))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard let values = value.listValue else { throw mismatch([Any].self, "a list") }
    return Unkeyed(values: values, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { Single(value: value, codingPath: codingPath) }

  private func mismatch(_ type: Any.Type, _ expected: String) -> DecodingError {
    .typeMismatch(type, .init(codingPath: codingPath, debugDescription: "\(expected) is needed, found \(value)"))
  }

  struct Single: SingleValueDecodingContainer {
    let value: ArchiveValue
    let codingPath: [any CodingKey]

    func decodeNil() -> Bool { value.isNone }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
      if let read = try read(type) { return read }
      return try Value(from: ArchiveDecoder(value: value, codingPath: codingPath))
    }

    /// A number, text or truth value; nil for a type that is made of others.
    private func read<Value>(_ type: Value.Type) throws -> Value? {
      switch type {
      case is Bool.Type: return try require(value.boolValue, type)
      case is String.Type: return try require(value.stringValue, type)
      case is Double.Type: return try require(value.doubleValue, type)
      case is Float.Type: return try require(value.doubleValue.map { Float($0) }, type)
      case let integer as any BinaryInteger.Type: return try require(wholeNumber(integer), type)
      default: return nil
      }
    }

    private func wholeNumber<Number: BinaryInteger>(_ type: Number.Type) -> Number? {
      value.intValue.flatMap { Number(exactly: $0) }
    }

    private func require<Value>(_ found: Any?, _ type: Value.Type) throws -> Value? {
      guard let found = found as? Value else {
        throw DecodingError.typeMismatch(
          type, .init(codingPath: codingPath, debugDescription: "\(type) is needed, found \(value)"))
      }
      return found
    }
  }

  struct Keyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let dictionary: ArchiveDictionary
    let codingPath: [any CodingKey]

    var allKeys: [Key] {
      dictionary.keys.compactMap { key in
        guard case .string(let name) = key else { return nil }
        return Key(stringValue: name)
      }
    }

    private func find(_ key: Key) -> ArchiveValue? {
      dictionary[ArchiveName.inPython(key.stringValue)] ?? dictionary[key.stringValue]
    }

    private func require(_ key: Key) throws -> ArchiveDecoder {
      guard let value = find(key) else {
        throw DecodingError.keyNotFound(
          key, .init(codingPath: codingPath, debugDescription: "there is no '\(ArchiveName.inPython(key.stringValue))'")
        )
      }
      return ArchiveDecoder(value: value, codingPath: codingPath + [key])
    }

    func contains(_ key: Key) -> Bool { find(key) != nil }
    func decodeNil(forKey key: Key) -> Bool { find(key)?.isNone ?? true }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
      try require(key).singleValueContainer().decode(type)
    }

    func nestedContainer<Nested: CodingKey>(
      keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { try require(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
      try require(key).unkeyedContainer()
    }

    func superDecoder() -> any Decoder { ArchiveDecoder(value: .dictionary(dictionary), codingPath: codingPath) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try require(key) }
  }

  struct Unkeyed: UnkeyedDecodingContainer {
    let values: [ArchiveValue]
    let codingPath: [any CodingKey]
    var currentIndex = 0

    var count: Int? { values.count }
    var isAtEnd: Bool { currentIndex >= values.count }

    private mutating func next() throws -> ArchiveDecoder {
      let path = codingPath + [ArchiveKey(intValue: currentIndex)]
      guard !isAtEnd else {
        throw DecodingError.valueNotFound(
          ArchiveValue.self, .init(codingPath: path, debugDescription: "the list has only \(values.count) values"))
      }
      defer { currentIndex += 1 }
      return ArchiveDecoder(value: values[currentIndex], codingPath: path)
    }

    mutating func decodeNil() -> Bool {
      guard !isAtEnd, values[currentIndex].isNone else { return false }
      currentIndex += 1
      return true
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
      try next().singleValueContainer().decode(type)
    }

    mutating func nestedContainer<Nested: CodingKey>(
      keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> { try next().container(keyedBy: type) }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }
    mutating func superDecoder() throws -> any Decoder { try next() }
  }
}

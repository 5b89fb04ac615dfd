internal import OrderedCollections

/// The settings of a map.
struct ConfigKeyedReader<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let decoder: ConfigDecoder
  let map: ConfigNode.Map

  var codingPath: [any CodingKey] { decoder.codingPath }
  var allKeys: [Key] { map.keys.compactMap { Key(stringValue: $0) } }

  func contains(_ key: Key) -> Bool { map[key.stringValue] != nil || fallback(key) != nil }

  func decodeNil(forKey key: Key) throws -> Bool { node(key)?.isNull ?? true }

  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    guard let node = node(key) else {
      throw DecodingError.keyNotFound(key, .init(codingPath: codingPath, debugDescription: ""))
    }
    return try ConfigDecoder.read(type, node, fallback: fallback(key), path: path(key), decoder.session)
  }

  private func read<Value: Decodable>(_ key: Key) throws -> Value? {
    guard let node = node(key), !node.isNull else { return nil }
    guard fallback(key)?.isNull == true else { return try decode(Value.self, forKey: key) }
    do {
      return try ConfigDecoder.read(Value.self, node, fallback: nil, path: path(key), decoder.session)
    } catch let error as ConfigMismatch {
      decoder.session.problems.append(error.problem)
      return nil
    }
  }

  // The protocol's own versions, one for each type, end the reading at the first value that does not fit.
  func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? { try read(key) }
  func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? { try read(key) }
  func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? { try read(key) }
  func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? { try read(key) }
  func decodeIfPresent(_ type: Float.Type, forKey key: Key) throws -> Float? { try read(key) }
  func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? { try read(key) }
  func decodeIfPresent(_ type: Int8.Type, forKey key: Key) throws -> Int8? { try read(key) }
  func decodeIfPresent(_ type: Int16.Type, forKey key: Key) throws -> Int16? { try read(key) }
  func decodeIfPresent(_ type: Int32.Type, forKey key: Key) throws -> Int32? { try read(key) }
  func decodeIfPresent(_ type: Int64.Type, forKey key: Key) throws -> Int64? { try read(key) }
  func decodeIfPresent(_ type: UInt.Type, forKey key: Key) throws -> UInt? { try read(key) }
  func decodeIfPresent(_ type: UInt8.Type, forKey key: Key) throws -> UInt8? { try read(key) }
  func decodeIfPresent(_ type: UInt16.Type, forKey key: Key) throws -> UInt16? { try read(key) }
  func decodeIfPresent(_ type: UInt32.Type, forKey key: Key) throws -> UInt32? { try read(key) }
  func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) throws -> UInt64? { try read(key) }

  private func node(_ key: Key) -> ConfigNode? { map[key.stringValue] ?? fallback(key) }
  private func fallback(_ key: Key) -> ConfigNode? { decoder.fallback?.map?[key.stringValue] }
  private func path(_ key: Key) -> [String] { decoder.path + [key.stringValue] }

  private func child(_ key: Key) throws -> ConfigDecoder {
    guard let node = node(key) else {
      throw DecodingError.keyNotFound(key, .init(codingPath: codingPath, debugDescription: ""))
    }
    return ConfigDecoder(node: node, fallback: fallback(key), path: path(key), session: decoder.session)
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Nested> { try child(key).container(keyedBy: type) }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try child(key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder { decoder }
  func superDecoder(forKey key: Key) throws -> any Decoder { try child(key) }
}

/// The elements of a list.
struct ConfigListReader: UnkeyedDecodingContainer {
  let decoder: ConfigDecoder
  let list: [ConfigNode]
  private(set) var currentIndex = 0

  init(decoder: ConfigDecoder, list: [ConfigNode]) {
    self.decoder = decoder
    self.list = list
  }

  var codingPath: [any CodingKey] { decoder.codingPath }
  var count: Int? { list.count }
  var isAtEnd: Bool { currentIndex == list.count }

  mutating func decodeNil() throws -> Bool {
    guard try next().node.isNull else { return false }
    currentIndex += 1
    return true
  }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    let element = try next()
    let value = try ConfigDecoder.read(type, element.node, fallback: nil, path: element.path, decoder.session)
    currentIndex += 1
    return value
  }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) throws -> KeyedDecodingContainer<Nested> {
    defer { currentIndex += 1 }
    return try next().container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    defer { currentIndex += 1 }
    return try next().unkeyedContainer()
  }

  mutating func superDecoder() throws -> any Decoder {
    defer { currentIndex += 1 }
    return try next()
  }

  private func next() throws -> ConfigDecoder {
    guard !isAtEnd else { throw decoder.mismatch("a list of more than \(list.count)") }
    return ConfigDecoder(
      node: list[currentIndex], fallback: nil, path: decoder.path + ["\(currentIndex)"], session: decoder.session)
  }
}

/// A value by itself.
struct ConfigValueReader: SingleValueDecodingContainer {
  let decoder: ConfigDecoder

  var codingPath: [any CodingKey] { decoder.codingPath }

  func decodeNil() -> Bool { decoder.node.isNull }

  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try ConfigDecoder.read(type, decoder.node, fallback: nil, path: decoder.path, decoder.session)
  }
}

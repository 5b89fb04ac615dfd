internal import Torch

/// Writes `Codable` values as the plain values of a checkpoint, with names in Python's style: `learningRate` becomes
/// `learning_rate`.
struct ArchiveEncoder: Encoder {
  /// Where a value goes.
  final class Slot {
    enum Content {
      case value(ArchiveValue)
      case dictionary([(name: String, slot: Slot)])
      case list([Slot])
    }
    var content = Content.value(.none)

    var archive: ArchiveValue {
      switch content {
      case .value(let value): return value
      case .list(let slots): return .list(slots.map(\.archive))
      case .dictionary(let entries):
        var dictionary = ArchiveDictionary()
        for (name, slot) in entries { dictionary[name] = slot.archive }
        return .dictionary(dictionary)
      }
    }
  }

  let slot: Slot
  let codingPath: [any CodingKey]
  let userInfo: [CodingUserInfoKey: Any] = [:]

  static func encode(_ value: some Encodable) throws -> ArchiveValue {
    let encoder = ArchiveEncoder(slot: Slot(), codingPath: [])
    try value.encode(to: encoder)
    return encoder.slot.archive
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    if case .dictionary = slot.content {} else { slot.content = .dictionary([]) }
    return KeyedEncodingContainer(Keyed(slot: slot, codingPath: codingPath))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    if case .list = slot.content {} else { slot.content = .list([]) }
    return Unkeyed(slot: slot, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { Single(slot: slot, codingPath: codingPath) }

  struct Single: SingleValueEncodingContainer {
    let slot: Slot
    let codingPath: [any CodingKey]

    mutating func encodeNil() { slot.content = .value(.none) }

    mutating func encode<Value: Encodable>(_ value: Value) throws {
      switch value {
      case let value as Bool: slot.content = .value(.bool(value))
      case let value as String: slot.content = .value(.string(value))
      case let value as Double: slot.content = .value(.double(value))
      // Written with the digits of the short form, as whoever reads it expects 0.1 and not 0.10000000149.
      case let value as Float: slot.content = .value(.double(Double("\(value)") ?? Double(value)))
      case let value as any BinaryInteger:
        guard let integer = Int(exactly: value) else {
          throw EncodingError.invalidValue(
            value, .init(codingPath: codingPath, debugDescription: "\(value) does not fit into 64 bits"))
        }
        slot.content = .value(.int(integer))
      default: try value.encode(to: ArchiveEncoder(slot: slot, codingPath: codingPath))
      }
    }
  }

  struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let slot: Slot
    let codingPath: [any CodingKey]

    private func add(_ key: Key) -> Slot {
      guard case .dictionary(var entries) = slot.content else { return slot }
      let added = Slot()
      entries.append((ArchiveName.inPython(key.stringValue), added))
      slot.content = .dictionary(entries)
      return added
    }

    private func encoder(_ key: Key) -> ArchiveEncoder {
      ArchiveEncoder(slot: add(key), codingPath: codingPath + [key])
    }

    mutating func encodeNil(forKey key: Key) { add(key).content = .value(.none) }

    mutating func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
      var single = Single(slot: add(key), codingPath: codingPath + [key])
      try single.encode(value)
    }

    /// Python has `None` for what a Swift encoder leaves out.
    mutating func encodeIfPresent<Value: Encodable>(_ value: Value?, forKey key: Key) throws {
      if let value { try encode(value, forKey: key) } else { encodeNil(forKey: key) }
    }
    mutating func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try optional(value, key) }
    mutating func encodeIfPresent(_ value: String?, forKey key: Key) throws { try optional(value, key) }
    mutating func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try optional(value, key) }
    mutating func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try optional(value, key) }
    mutating func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try optional(value, key) }
    mutating func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try optional(value, key) }

    private mutating func optional<Value: Encodable>(_ value: Value?, _ key: Key) throws {
      if let value { try encode(value, forKey: key) } else { encodeNil(forKey: key) }
    }

    mutating func nestedContainer<Nested: CodingKey>(
      keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> { encoder(key).container(keyedBy: type) }

    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
      encoder(key).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder { ArchiveEncoder(slot: slot, codingPath: codingPath) }
    mutating func superEncoder(forKey key: Key) -> any Encoder { encoder(key) }
  }

  struct Unkeyed: UnkeyedEncodingContainer {
    let slot: Slot
    let codingPath: [any CodingKey]

    var count: Int {
      guard case .list(let slots) = slot.content else { return 0 }
      return slots.count
    }

    private func add() -> ArchiveEncoder {
      let added = Slot()
      if case .list(let slots) = slot.content { slot.content = .list(slots + [added]) }
      return ArchiveEncoder(slot: added, codingPath: codingPath + [ArchiveKey(intValue: count - 1)])
    }

    mutating func encodeNil() { add().slot.content = .value(.none) }

    mutating func encode<Value: Encodable>(_ value: Value) throws {
      let encoder = add()
      var single = Single(slot: encoder.slot, codingPath: encoder.codingPath)
      try single.encode(value)
    }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
      add().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { add().unkeyedContainer() }
    mutating func superEncoder() -> any Encoder { add() }
  }
}

internal import FoundationEssentials

extension ProcessGroup {
  /// The value that `source` has, on every rank. It travels as JSON; numbers keep all their digits.
  public func broadcast<Value: Codable>(object value: Value, from source: Int = 0) throws -> Value {
    let bytes = rank == source ? [UInt8](try JSONEncoder().encode([value])) : []
    let received = try broadcast(bytes: bytes, from: source)
    return rank == source ? value : try decode(received)
  }

  /// The values of all ranks, in rank order.
  public func allGather<Value: Codable>(object value: Value) throws -> [Value] {
    try allGather(bytes: [UInt8](try JSONEncoder().encode([value]))).map { try decode($0) }
  }

  private func decode<Value: Codable>(_ bytes: [UInt8]) throws -> Value {
    guard let value = try JSONDecoder().decode([Value].self, from: Data(bytes)).first else {
      throw DistributedError(operation: "object broadcast", rank: rank, message: "empty message")
    }
    return value
  }
}

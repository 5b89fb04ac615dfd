internal import FoundationEssentials
internal import Torch
internal import TorchDistributed

/// The state of an optimizer's parameters on its way from one rank to another: a table, then the tensors.
struct StateMessage: Codable {
  private struct Entry: Codable {
    let parameter: Int
    let name: String
    let shape: [Int]?
    let dtype: Int8?
    let number: Double?
    let integer: Int?
    let flag: Bool?
    let text: String?
  }

  private var entries: [Entry] = []

  static func send(_ states: [Int: ArchiveDictionary], to rank: Int, in group: ProcessGroup) throws {
    var message = StateMessage()
    var tensors: [Tensor] = []
    for (parameter, state) in states.sorted(by: { $0.key < $1.key }) {
      for (key, value) in state {
        guard case .string(let name) = key else { continue }
        let tensor = value.tensorValue
        if let tensor { tensors.append(tensor.detached().contiguous()) }
        var integer: Int?
        var number: Double?
        if case .int(let value) = value { integer = value }
        if case .double(let value) = value { number = value }
        message.entries.append(
          Entry(
            parameter: parameter, name: name, shape: tensor?.shape, dtype: tensor?.dtype.rawValue, number: number,
            integer: integer, flag: value.boolValue, text: value.stringValue))
      }
    }
    let table = [UInt8](try JSONEncoder().encode(message))
    try group.startSend(Tensor([table.count]), to: rank).wait()
    try group.startSend(Tensor(table), to: rank).wait()
    for tensor in tensors where tensor.count > 0 { try group.startSend(tensor, to: rank).wait() }
  }

  static func receive(from rank: Int, in group: ProcessGroup) throws -> [Int: ArchiveDictionary] {
    let count = Tensor.zeros([1], dtype: .int64)
    try group.startReceive(into: count, from: rank).wait()
    let table = Tensor.empty([try count.integer()], dtype: .uint8)
    try group.startReceive(into: table, from: rank).wait()
    let message = try JSONDecoder().decode(StateMessage.self, from: Data(try table.array(as: UInt8.self)))
    var states: [Int: ArchiveDictionary] = [:]
    for entry in message.entries {
      states[entry.parameter, default: [:]][entry.name] = try value(entry, from: rank, in: group)
    }
    return states
  }

  private static func value(_ entry: Entry, from rank: Int, in group: ProcessGroup) throws -> ArchiveValue {
    if let shape = entry.shape, let dtype = entry.dtype.flatMap(DType.init(rawValue:)) {
      let tensor = Tensor.empty(shape, dtype: dtype)
      if tensor.count > 0 { try group.startReceive(into: tensor, from: rank).wait() }
      return .tensor(tensor)
    }
    if let flag = entry.flag { return .bool(flag) }
    if let integer = entry.integer { return .int(integer) }
    if let number = entry.number { return .double(number) }
    return entry.text.map { .string($0) } ?? ArchiveValue.none
  }
}

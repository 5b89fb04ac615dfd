internal import Torch
internal import TorchDistributed

/// What has to agree between the ranks of a tensor that crosses them.
struct TensorSignature: Codable, Hashable {
  let name: String
  let dtype: String
  let shape: [Int]

  init(_ name: String, _ tensor: Tensor) {
    self.name = name
    dtype = "\(tensor.dtype)"
    shape = tensor.shape
  }

  private var kind: String { "\(dtype) \(shape)" }

  /// Compares what the ranks of a group have. Called on all of them.
  ///
  /// - Parameters:
  ///   - what: how messages call the tensors.
  ///   - ranks: the global number of each rank of the group.
  /// - Throws: ``HorovodError`` on every rank, with every rank that lacks a tensor, or has another one of the name.
  static func compare(_ own: [TensorSignature], _ what: String, _ group: ProcessGroup, ranks: [Int]) throws {
    guard group.size > 1 else { return }
    let fingerprints = try group.allGather(Tensor([fingerprint(of: own)])).map { try $0.integer() }
    if fingerprints.allSatisfy({ $0 == fingerprints[0] }) { return }
    let differences = differences(try group.allGather(object: own), ranks: ranks)
    throw HorovodError.differentTensors(what: what, differences: differences)
  }

  /// A number that is another one for other tensors or another order.
  static func fingerprint(of signatures: [TensorSignature]) -> Int {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    for signature in signatures {
      for byte in "\(signature.name)\u{0}\(signature.kind)\u{0}".utf8 { add(byte) }
    }
    return Int(Int64(bitPattern: hash))
  }

  /// A sentence for each tensor that is not the same everywhere.
  static func differences(_ all: [[TensorSignature]], ranks: [Int]) -> [String] {
    let tables = all.map { Dictionary($0.map { ($0.name, $0) }) { first, _ in first } }
    var names: [String] = []
    var seen = Set<String>()
    for name in all.joined().map(\.name) where seen.insert(name).inserted { names.append(name) }
    var lines: [String] = []
    for name in names {
      let lacking = tables.indices.filter { tables[$0][name] == nil }
      let kinds = Set(tables.compactMap { $0[name]?.kind })
      if !lacking.isEmpty { lines.append("\(list(lacking.map { ranks[$0] })) no '\(name)'") }
      if kinds.count > 1 {
        let each = tables.indices.compactMap { index in
          tables[index][name].map { "\($0.kind) on rank \(ranks[index])" }
        }
        lines.append("'\(name)' is \(each.joined(separator: ", "))")
      }
    }
    if lines.isEmpty { lines.append("the order of \(names.count) tensors differs") }
    return lines
  }

  /// Such as `rank 1 has`.
  private static func list(_ ranks: [Int]) -> String {
    ranks.count == 1
      ? "rank \(ranks[0]) has" : "ranks \(ranks.map(String.init).joined(separator: ", ")) have"
  }
}

extension [String] {
  /// The first few of them, and how many more there are.
  var abridged: String {
    prefix(4).joined(separator: ", ") + (count > 4 ? " and \(count - 4) more" : "")
  }
}

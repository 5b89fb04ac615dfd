internal import TorchDistributed

/// Ranks that do something together and tell each other how it went.
protocol RankExchange {
  var rank: Int { get }
  func allGather<Value: Codable>(object value: Value) throws -> [Value]
}

extension Strategy: RankExchange {}

/// A process on its own.
struct SingleRank: RankExchange {
  var rank: Int { 0 }
  func allGather<Value: Codable>(object value: Value) throws -> [Value] { [value] }
}

/// The ranks of a group.
struct GroupRanks: RankExchange {
  let group: ProcessGroup
  var rank: Int { group.rank }
  func allGather<Value: Codable>(object value: Value) throws -> [Value] { try group.allGather(object: value) }
}

/// How a rank's part went.
private struct RankOutcome<Value: Codable>: Codable {
  var value: Value?
  var failure: String?
}

extension RankExchange {
  /// Does something on all ranks; when it fails on one, it fails on all.
  ///
  /// - Parameter path: the checkpoint, for errors.
  /// - Returns: the values of all ranks, in rank order.
  func together<Value: Codable>(_ path: String, _ body: () throws -> Value) throws -> [Value] {
    var own = RankOutcome<Value>()
    var cause: (any Error)?
    do { own.value = try body() } catch {
      cause = error
      own.failure = (error as? CheckpointError).flatMap { $0.path == path ? $0.reason : nil } ?? "\(error)"
    }
    let all = try allGather(object: own)
    if let failed = all.firstIndex(where: { $0.failure != nil }) {
      if all.count == 1, let cause { throw cause }
      throw CheckpointError(path: path, reason: "rank \(failed): \(all[failed].failure ?? "")")
    }
    return all.compactMap(\.value)
  }
}

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
  /// The checkpoint whose failure on all ranks this is, if it is one.
  var pathOfAll: String?
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
      let known = error as? CheckpointError
      let isOfAll = known?.isOfAllRanks ?? false
      own.pathOfAll = isOfAll ? known?.path : nil
      own.failure = known.flatMap { isOfAll || $0.path == path ? $0.reason : nil } ?? "\(error)"
    }
    let all = try allGather(object: own)
    if let failed = all.firstIndex(where: { $0.failure != nil }) {
      if all.count == 1, let cause { throw cause }
      let reason = all[failed].failure ?? ""
      // A rank that tells of a failure of all of them is not the one on which it was.
      if let known = all[failed].pathOfAll { throw CheckpointError(path: known, failingOnAll: reason) }
      throw CheckpointError(path: path, failingOn: failed, reason: reason)
    }
    return all.compactMap(\.value)
  }
}

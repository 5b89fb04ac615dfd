import Foundation
import Torch

@testable import Stratagem

/// Ranks that are threads of this process.
final class ThreadRanks: @unchecked Sendable {
  private let condition = NSCondition()
  private let count: Int
  private var messages: [Data]
  private var results: [Data] = []
  private var arrived = 0
  private var round = 0

  private struct Member: RankExchange {
    let rank: Int
    let ranks: ThreadRanks

    func allGather<Value: Codable>(object value: Value) throws -> [Value] {
      let own = try JSONEncoder().encode([value])
      return try ranks.exchange(own, rank).map { try JSONDecoder().decode([Value].self, from: $0)[0] }
    }
  }

  private init(_ count: Int) {
    self.count = count
    messages = Array(repeating: Data(), count: count)
  }

  /// Runs `body` on each rank; the errors, in rank order.
  @discardableResult
  static func run(_ count: Int, _ body: @escaping @Sendable (any RankExchange) throws -> Void) -> [(any Error)?] {
    let ranks = ThreadRanks(count)
    let errors = Errors(count)
    let group = DispatchGroup()
    for rank in 0..<count {
      group.enter()
      Thread.detachNewThread {
        do { try body(Member(rank: rank, ranks: ranks)) } catch { errors.set(error, rank) }
        group.leave()
      }
    }
    group.wait()
    return errors.values
  }

  private func exchange(_ message: Data, _ rank: Int) -> [Data] {
    condition.lock()
    defer { condition.unlock() }
    messages[rank] = message
    arrived += 1
    let own = round
    if arrived == count {
      // Nobody comes to the next round before it has these.
      results = messages
      arrived = 0
      round += 1
      condition.broadcast()
    }
    while round == own { condition.wait() }
    return results
  }

  private final class Errors: @unchecked Sendable {
    private let lock = NSLock()
    private var stored: [(any Error)?]
    init(_ count: Int) { stored = Array(repeating: nil, count: count) }
    var values: [(any Error)?] { lock.withLock { stored } }
    func set(_ error: any Error, _ rank: Int) { lock.withLock { stored[rank] = error } }
  }
}

/// A folder of its own that goes away with the value.
final class ScratchFolder: Sendable {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("sharded-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func names(_ folder: String = "") -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)")) ?? []).sorted()
  }

  func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")) }
  func write(_ data: Data, _ name: String) throws { try data.write(to: URL(fileURLWithPath: "\(path)/\(name)")) }
}

/// A checkpoint with tensors of several types and shapes, the same on every rank.
enum SampleCheckpoint {
  static var weights: StateDictionary {
    [
      "embedding.weight": Tensor((0..<300_007).map { Float($0) }),
      "fc.weight": Tensor((0..<35).map { Float($0) * 0.5 }, shape: [5, 7]),
      "fc.bias": Tensor((0..<5).map { Double($0) + 0.25 }),
      "scale": Tensor(3),
      "empty": Tensor.zeros([0, 4]),
      "count": Tensor([Int64(17)]),
    ]
  }

  static func contents(tied: Bool = false) -> ArchiveDictionary {
    var weights = weights
    if tied { weights["head.weight"] = weights["embedding.weight"]!.detached() }
    return [
      "epoch": 3, "global_step": 12, "state_dict": .dictionary(ArchiveDictionary(weights)),
      "optimizer_states": .list([
        .dictionary([
          "state": .dictionary([
            0: [
              "exp_avg": .tensor(Tensor((0..<35).map { Float($0) * 2 }, shape: [5, 7])),
              "step": .tensor(Tensor(12)),
              "note": "x", "nothing": ArchiveValue.none,
            ]
          ]),
          "param_groups": .list([
            ["lr": 0.1, "params": .list([0, 1]), "param_names": .list(["fc.weight", "fc.bias"])]
          ]),
        ])
      ]),
      "lr_schedulers": .list([["last_epoch": 3]]),
    ]
  }

  /// The checkpoint as a rank holds it that has everything, or only its part of `fc.weight` and of its state.
  static func held(by rank: Int, of count: Int, partitioned: Bool = true) -> Checkpoint {
    var checkpoint = Checkpoint(contents())
    let pieces = TensorPieces()
    func placeholder(_ name: String, _ value: ArchiveValue) -> ArchiveValue {
      guard let tensor = value.tensorValue else { return value }
      guard partitioned, ["fc.weight", "exp_avg"].contains(name) else {
        return .tensor(pieces.placeholder(for: TensorPiece(whole: tensor)))
      }
      let share = (tensor.count + count - 1) / count
      let range = min(rank * share, tensor.count)..<min((rank + 1) * share, tensor.count)
      let own = tensor.flattened().narrowed(dim: 0, start: range.lowerBound, length: range.count).clone()
      return .tensor(
        pieces.placeholder(for: TensorPiece(shape: tensor.shape, range: range, tensor: own, isPrimary: true)))
    }
    var weights = checkpoint["state_dict"]!.dictionaryValue!
    for (key, value) in weights { weights[key] = placeholder(key.text, value) }
    checkpoint["state_dict"] = .dictionary(weights)
    var optimizer = checkpoint["optimizer_states"]!.listValue![0].dictionaryValue!
    var states = optimizer["state"]!.dictionaryValue!
    var state = states[0]!.dictionaryValue!
    for (key, value) in state { state[key] = placeholder(key.text, value) }
    states[0] = .dictionary(state)
    optimizer["state"] = .dictionary(states)
    checkpoint["optimizer_states"] = .list([.dictionary(optimizer)])
    checkpoint.pieces = pieces
    return checkpoint
  }
}

/// All values of a checkpoint, read from the files.
func loaded(_ value: ArchiveValue, of checkpoint: Checkpoint) throws -> ArchiveValue {
  switch value {
  case .tensor(let tensor): return .tensor(try checkpoint.load(tensor))
  case .list(let values): return .list(try values.map { try loaded($0, of: checkpoint) })
  case .tuple(let values): return .tuple(try values.map { try loaded($0, of: checkpoint) })
  case .dictionary(var dictionary):
    for (key, value) in dictionary { dictionary[key] = try loaded(value, of: checkpoint) }
    return .dictionary(dictionary)
  default: return value
  }
}

/// A text for values that is equal when they are, tensors by their numbers.
func fingerprint(_ value: ArchiveValue) throws -> String {
  switch value {
  case .tensor(let tensor):
    let numbers = try tensor.flattened().to(.float64).array(as: Double.self)
    return "\(tensor.dtype)\(tensor.shape)\(numbers.count > 100 ? "\(numbers.hashValue)" : "\(numbers)")"
  case .list(let values), .tuple(let values): return "[\(try values.map(fingerprint).joined(separator: ","))]"
  case .dictionary(let dictionary):
    return "{\(try dictionary.map { "\($0.key):\(try fingerprint($0.value))" }.sorted().joined(separator: ","))}"
  default: return value.description
  }
}

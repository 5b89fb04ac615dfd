internal import Torch
internal import TorchDistributed

/// Batches of an evaluation that not all ranks have: those without one help the others to gather.
final class EvaluationRounds {
  /// The batches of each rank.
  private let counts: [Int]
  private let world: ProcessGroup
  private var round = 0

  init(_ counts: [Int], _ world: ProcessGroup) {
    self.counts = counts
    self.world = world
  }

  private static let end = -1

  private var isPartial: Bool { counts.contains { $0 <= round } }

  /// The first rank that has a batch.
  private var leader: Int { counts.firstIndex { $0 > round } ?? 0 }

  var hasMore: Bool { counts.contains { $0 > round } }

  /// Tells the ranks without a batch which unit is gathered next.
  func announce(_ unit: Int) throws {
    guard isPartial else { return }
    let announced = try tell(unit)
    guard announced == unit else {
      throw ConfigurationError(
        "strategy",
        "rank \(world.rank) reads unit \(unit) of the model where rank \(leader) reads unit \(announced): with partitioned "
          + "parameters all ranks must use them in the same order",
        suggestion: "let the step not depend on the rank")
    }
  }

  /// This rank is done with its batch.
  func finishRound() throws {
    if isPartial { _ = try tell(Self.end) }
    round += 1
  }

  /// A unit that the others gather; nil when they are done with their batch.
  func next() throws -> Int? {
    let unit = try tell(0)
    if unit != Self.end { return unit }
    round += 1
    return nil
  }

  private func tell(_ value: Int) throws -> Int {
    let message = Tensor([value])
    try world.broadcast(message, from: leader)
    return try message.integer()
  }
}

extension ShardingEngine {
  /// Call before the batches of a loader are evaluated, on all ranks.
  ///
  /// - Parameter batches: those of this rank; the others may have more or fewer.
  func beginEvaluation(batches: Int) throws {
    guard freesParameters, let world = groups.world else { return }
    phase = .idle
    let counts = try world.allGather(object: batches)
    evaluation = EvaluationRounds(counts, world)
  }

  /// Call after each batch.
  func finishEvaluationStep() throws {
    try throwFailure()
    try evaluation?.finishRound()
  }

  /// Call after the batches, on all ranks; returns when the last rank is through with its own.
  func endEvaluation() throws {
    if let evaluation {
      self.evaluation = nil
      while evaluation.hasMore {
        while let number = try evaluation.next() {
          try makePresent(number)
          let unit = units[number]
          if let own = unit.module, own !== module, own.isLayer { unit.free() }
        }
      }
    }
    try throwFailure()
    if freesParameters {
      try groups.order?.announceEnd()
      try groups.order?.checkEnd()
    }
    for unit in units {
      try unit.settle()
      unit.free()
    }
  }
}

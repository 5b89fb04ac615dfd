public import Torch

/// Averages models of few ranks often, and those of more ranks less often.
///
/// In a step that several periods divide, the level of the longest one averages.
///
/// See "Local SGD with hierarchical averaging", https://arxiv.org/abs/2010.12998, and PyTorch's
/// `HierarchicalModelAverager`.
public final class HierarchicalModelAverager: ModelAveraging {
  /// Groups of consecutive ranks that average together.
  public struct Level: Hashable, Sendable {
    /// Steps from one averaging to the next.
    public let period: Int
    /// How many ranks a group has.
    public let groupSize: Int

    public init(period: Int, groupSize: Int) {
      self.period = period
      self.groupSize = groupSize
    }
  }

  /// From small groups to all ranks.
  public let levels: [Level]
  /// How many steps pass before the first averaging, at least 0.
  public let warmupSteps: Int
  public var step = 0
  private var groups: [ProcessGroup] = []

  public init(_ levels: [Level], warmupSteps: Int = 0) {
    self.levels = levels
    self.warmupSteps = warmupSteps
  }

  public func prepare(in group: ProcessGroup) throws {
    func refuse(_ problem: String, _ suggestion: String) -> CommunicationHookError {
      CommunicationHookError(hook: "hierarchical averaging", problem: problem, suggestion: suggestion)
    }
    guard let last = levels.last, levels.allSatisfy({ $0.period > 0 }), warmupSteps >= 0 else {
      throw refuse(
        "lacks levels, or has a period below 1 or warmupSteps below 0", "give levels with periods of 1 or more")
    }
    for (level, next) in zip(levels, levels.dropFirst())
    where next.period <= level.period || next.groupSize <= level.groupSize || next.groupSize % level.groupSize != 0 {
      throw refuse(
        "has groups of \(level.groupSize) ranks every \(level.period) steps below groups of \(next.groupSize) every "
          + "\(next.period)", "let periods grow, and group sizes be multiples of each other")
    }
    guard last.groupSize == group.size else {
      throw refuse(
        "ends with groups of \(last.groupSize) ranks, and there are \(group.size)",
        "give the last level the groupSize \(group.size)")
    }
    if let wrong = levels.first(where: { $0.groupSize < 1 || group.size % $0.groupSize != 0 }) {
      throw refuse(
        "has groups of \(wrong.groupSize) ranks, into which \(group.size) cannot be divided",
        "give divisors of \(group.size)")
    }
    step = 0
    groups = try levels.map { try group.subgroup(ofSize: $0.groupSize) }
  }

  public func average(_ parameters: [Tensor], in group: ProcessGroup) throws -> Bool {
    defer { step += 1 }
    guard step >= warmupSteps else { return true }
    guard let place = levels.lastIndex(where: { step % $0.period == 0 }) else { return false }
    try groups[place].average(parameters)
    return place == levels.count - 1
  }
}

extension ModelAveraging where Self == HierarchicalModelAverager {
  /// Few ranks often, all ranks less often; see ``HierarchicalModelAverager``.
  public static func hierarchical(
    _ levels: [HierarchicalModelAverager.Level], warmupSteps: Int = 0
  ) -> HierarchicalModelAverager {
    HierarchicalModelAverager(levels, warmupSteps: warmupSteps)
  }
}

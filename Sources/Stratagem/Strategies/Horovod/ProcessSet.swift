public import TorchDistributed

/// Some of the ranks of a run that compute together: a group of its own inside the world.
///
/// ```swift
/// let even = try strategy.addProcessSet([0, 2])
/// let sum = try strategy.allreduce(tensor, name: "even", operation: .sum, in: even)  // on ranks 0 and 2
/// ```
public final class ProcessSet {
  /// The ranks, ascending, by their numbers in the world.
  public let ranks: [Int]
  /// The number of the set, 0 for the world.
  public let number: Int
  /// The processes of the set; nil on a rank that does not belong to it.
  public let group: ProcessGroup?
  /// What the ranks of the set say before they do it; nil on a rank that does not belong to it.
  let negotiator: Negotiator?

  /// The set of all ranks of a group.
  public convenience init(_ world: ProcessGroup) { self.init(Array(0..<world.size), number: 0, world) }

  init(_ ranks: [Int], number: Int, _ group: ProcessGroup?) {
    self.ranks = ranks
    self.number = number
    self.group = group
    negotiator = group.map { Negotiator($0, ranks: ranks) }
  }

  /// The number of ranks.
  public var size: Int { ranks.count }
  /// The number of this process in the set; nil when it does not belong to it.
  public var rank: Int? { group?.rank }
  /// Whether this process belongs to the set.
  public var isMember: Bool { group != nil }
}

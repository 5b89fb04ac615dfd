internal import Torch
internal import TorchDistributed

/// Lets ranks that share a copy of the model find out that they do not gather the same units.
///
/// With each gather travels the number of what is gathered. Without it ranks that use different layers would take each
/// other's numbers for those of another unit of the same size, or wait for a gather that the others never begin.
final class GatherOrder {
  private let group: ProcessGroup
  /// The ranks of the group among all.
  private let ranks: [Int]
  /// What units are called in errors, such as `unit 'blocks.0'`.
  private let names: [String]
  /// The end of a step that the others may not have come to.
  private var pendingEnd: Announcement?

  /// What the ranks gather next.
  struct Announcement {
    let unit: Int
    let works: [Work]
    /// The units of the other ranks.
    let others: [Tensor?]
  }

  private static let end = -1

  init(_ group: ProcessGroup, ranks: [Int], names: [String]) {
    self.group = group
    self.ranks = ranks
    self.names = names
  }

  /// Tells the others which unit is gathered next.
  func announce(_ unit: Int) throws -> Announcement {
    let own = Tensor([unit])
    let others = (0..<group.size).map { $0 == group.rank ? nil : Tensor([0]) }
    let outgoing = (0..<group.size).map { _ in Optional(own) }
    let works = try group.startExchange(sending: outgoing, receiving: others, as: .allGather)
    return Announcement(unit: unit, works: works, others: others)
  }

  /// Waits until all have told what they gather, and compares it.
  func check(_ announcement: Announcement) throws {
    try checkEnd()
    for work in announcement.works { try work.wait() }
    for (place, other) in announcement.others.enumerated() {
      guard let unit = try other?.integer(), unit != announcement.unit else { continue }
      throw ConfigurationError(
        "strategy",
        "rank \(ranks[group.rank]) \(describe(announcement.unit)) where rank \(ranks[place]) \(describe(unit)): where "
          + "parameters are partitioned, all ranks must use them in the same order",
        suggestion: "let the step not depend on the rank: what a rank does not need it can use with a factor of 0")
    }
  }

  /// Tells the others that this rank gathers nothing more in this step.
  func announceEnd() throws {
    try checkEnd()
    pendingEnd = try announce(Self.end)
  }

  /// Compares the end of the step before.
  func checkEnd() throws {
    guard let pending = pendingEnd else { return }
    pendingEnd = nil
    try check(pending)
  }

  private func describe(_ unit: Int) -> String {
    names.indices.contains(unit) ? "gathers \(names[unit])" : "gathers nothing more in this step"
  }
}

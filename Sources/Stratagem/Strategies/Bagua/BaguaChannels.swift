public import Torch
public import TorchDistributed

/// The process groups of a run with `bagua`: apart from the strategy's, because they are used from another thread.
public final class BaguaChannels {
  /// All processes.
  public let world: ProcessGroup
  /// The processes of this node, when there are several and communication is hierarchical.
  public let node: ProcessGroup?
  /// The first processes of all nodes, when this is one of them, there are several nodes and communication is
  /// hierarchical.
  public let leaders: ProcessGroup?
  /// The number of nodes.
  public let nodeCount: Int
  /// Whether communication goes over the leaders of the nodes.
  public let isHierarchical: Bool

  /// Joins the groups. Called on all ranks.
  ///
  /// - Parameter nodeRanks: the number of the node of each rank.
  init(_ world: ProcessWorld, nodeRanks: [Int], isHierarchical: Bool, timeout: Double) throws {
    let leaderRanks = Set(nodeRanks).sorted().compactMap { nodeRanks.firstIndex(of: $0) }
    let neighbours = nodeRanks.indices.filter { nodeRanks[$0] == nodeRanks[world.rank] }
    nodeCount = leaderRanks.count
    self.isHierarchical = isHierarchical
    func join(_ name: String, _ ranks: [Int]) throws -> ProcessGroup? {
      guard ranks.contains(world.rank), ranks.count > 1 else { return nil }
      return try world.makeGroup(name, of: ranks, timeout: timeout, activity: CollectiveActivity())
    }
    self.world = try world.makeGroup(
      "bagua", of: Array(nodeRanks.indices), timeout: timeout, activity: CollectiveActivity())
    node = try isHierarchical ? join("bagua-node", neighbours) : nil
    leaders = try isHierarchical ? join("bagua-leaders", leaderRanks) : nil
  }

  /// How many take part in what ``exchange(_:averaging:_:)`` runs: the nodes, or all ranks.
  public var partyCount: Int { isHierarchical ? nodeCount : world.size }

  /// Whether this rank takes part in it, instead of getting the result from the leader of its node.
  public var isParty: Bool { node.map { $0.rank == 0 } ?? true }

  /// Runs `body` for `tensor` with the group of all ranks; or, when communication is hierarchical: reduces the tensor over
  /// the ranks of each node, runs `body` on their leaders with the group of all leaders, and gives each node the tensor of
  /// its leader. `body` does not run where the group would have one member.
  ///
  /// - Parameter averaging: whether the ranks of a node are averaged, or summed up.
  public func exchange(_ tensor: Tensor, averaging: Bool, _ body: (ProcessGroup) throws -> Void) throws {
    guard isHierarchical else {
      if world.size > 1 { try body(world) }
      return
    }
    if let node { try node.allReduce(tensor, by: averaging ? .mean : .sum) }
    if let leaders { try body(leaders) }
    if nodeCount > 1, let node { try node.broadcast(tensor, from: 0) }
  }
}

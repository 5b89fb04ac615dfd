/// The place of one process in a run.
public struct WorkerIdentity: Sendable, Hashable {
  /// The number of the process among all, `0 ..< worldSize`.
  public let globalRank: Int
  /// The number of the process on its node, `0 ..< localWorldSize`.
  public let localRank: Int
  /// The number of its node.
  public let nodeRank: Int
  /// The number of processes of the run.
  public let worldSize: Int
  /// The number of processes on each node.
  public let localWorldSize: Int

  /// Makes the identity of process `localRank` on node `nodeRank`, with equally many processes on every node.
  public init(localRank: Int, nodeRank: Int = 0, localWorldSize: Int, numNodes: Int = 1) {
    self.localRank = localRank
    self.nodeRank = nodeRank
    self.localWorldSize = localWorldSize
    globalRank = nodeRank * localWorldSize + localRank
    worldSize = numNodes * localWorldSize
  }

  /// Makes an identity from all its numbers.
  public init(globalRank: Int, localRank: Int, nodeRank: Int, worldSize: Int, localWorldSize: Int) {
    self.globalRank = globalRank
    self.localRank = localRank
    self.nodeRank = nodeRank
    self.worldSize = worldSize
    self.localWorldSize = localWorldSize
  }

  /// The variables that tell a process its place, under torchrun's names.
  public func variables(mainAddress: String, mainPort: Int) -> [String: String] {
    [
      WorkerVariable.mainAddress: mainAddress,
      WorkerVariable.mainPort: String(mainPort),
      WorkerVariable.globalRank: String(globalRank),
      WorkerVariable.localRank: String(localRank),
      WorkerVariable.nodeRank: String(nodeRank),
      WorkerVariable.worldSize: String(worldSize),
      WorkerVariable.localWorldSize: String(localWorldSize),
    ]
  }
}

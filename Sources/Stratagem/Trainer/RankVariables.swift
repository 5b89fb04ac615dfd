/// The environment variables by which torchrun, and Stratagem's own launcher, tell a process its place.
///
/// Source: PyTorch's `torchrun` documentation, section "Environment Variables".
struct RankVariables: Hashable {
  /// `RANK`: the number of the process among all.
  var rank: Int?

  /// `LOCAL_RANK`: the number of the process on its node.
  var localRank: Int?

  /// `NODE_RANK`, or torchrun's `GROUP_RANK`: the number of the node.
  var nodeRank: Int?

  /// `WORLD_SIZE`: the number of processes.
  var worldSize: Int?

  /// `LOCAL_WORLD_SIZE`: the number of processes on this node.
  var localWorldSize: Int?

  /// The name of the variable that gave the rank of the node.
  var nodeRankName = "NODE_RANK"

  /// Whether a launcher started this process as one of the run.
  var processesExist: Bool { localRank != nil || (rank != nil && worldSize != nil) }

  /// Reads the variables and reports those that are no rank or size.
  init(_ environment: [String: String], _ problems: inout [ConfigurationError.Problem]) {
    func number(_ name: String, atLeast least: Int) -> Int? {
      guard let text = environment[name], !text.isEmpty else { return nil }
      if let value = Int(text), value >= least { return value }
      problems.append(
        .init(
          name, "environment variable \(name) is '\(text)', which is not a whole number of \(least) or more",
          suggestion: "unset it, or start the program with a launcher that sets it"))
      return nil
    }
    rank = number("RANK", atLeast: 0)
    localRank = number("LOCAL_RANK", atLeast: 0)
    nodeRank = number("NODE_RANK", atLeast: 0)
    worldSize = number("WORLD_SIZE", atLeast: 1)
    localWorldSize = number("LOCAL_WORLD_SIZE", atLeast: 1)
    if nodeRank == nil, let group = number("GROUP_RANK", atLeast: 0) {
      nodeRank = group
      nodeRankName = "GROUP_RANK"
    }
  }

  /// Returns how many processes were started on each node, as far as the variables tell.
  func processesOnNode(of request: RunRequest) -> Int? {
    if let localWorldSize { return localWorldSize }
    guard let worldSize, request.numNodes > 0, worldSize.isMultiple(of: request.numNodes) else { return nil }
    return worldSize / request.numNodes
  }
}

extension RunPlanResolver {
  /// The place of this process in the run.
  struct Ranks {
    var processesPerNode: Int
    var worldSize: Int
    var nodeRank = 0
    var localRank: Int?
    var rank: Int?
  }

  /// Finds the number of processes and the place of this one, and checks that what started them agrees.
  mutating func findRanks(_ variables: RankVariables) -> Ranks? {
    guard let strategy, let indices, request.numNodes > 0 else { return nil }
    guard strategy.isDistributed else {
      if variables.processesExist, let size = variables.worldSize, size > 1 {
        warnings.append(
          "WORLD_SIZE is \(size), but strategy '\(strategy.name)' runs in one process: each of the \(size) processes "
            + "trains by itself")
      }
      return Ranks(processesPerNode: 1, worldSize: 1, localRank: 0, rank: 0)
    }
    let processes = strategy.processes == .onePerNode ? 1 : indices.count
    let (worldSize, overflow) = processes.multipliedReportingOverflow(by: request.numNodes)
    if overflow {
      report("numNodes", "numNodes: \(request.numNodes) is too many", "write the number of machines")
      return nil
    }
    var ranks = Ranks(processesPerNode: processes, worldSize: worldSize)
    if variables.processesExist {
      place(&ranks, variables)
    } else {
      placeLauncher(&ranks, variables)
    }
    return ranks
  }

  /// Threads for the operators of each process: what `OMP_NUM_THREADS` says, else an equal share of the cores.
  mutating func findThreads(processes: Int) -> Int {
    let share = max(1, hardware.cpuCount / max(1, processes))
    guard let text = environment["OMP_NUM_THREADS"], !text.isEmpty else { return share }
    if let threads = Int(text.prefix { $0 != "," }), threads > 0 { return threads }
    warnings.append("OMP_NUM_THREADS is '\(text)', which is not a number of threads; the run uses \(share)")
    return share
  }

  private mutating func place(_ ranks: inout Ranks, _ variables: RankVariables) {
    let processes = ranks.processesPerNode
    if let size = variables.worldSize, size != ranks.worldSize {
      report(
        "devices",
        "\(size) processes were started (WORLD_SIZE), but devices × numNodes is \(processes) × \(request.numNodes) = "
          + "\(ranks.worldSize)",
        "start \(ranks.worldSize) processes, or make devices and numNodes agree with the launcher")
      return
    }
    let node = variables.nodeRank ?? variables.rank.map { $0 / processes } ?? 0
    let local = variables.localRank ?? variables.rank.map { $0 - node &* processes } ?? 0
    if let rank = variables.rank, rank >= ranks.worldSize {
      report(
        "RANK", "RANK is \(rank), but the run has \(ranks.worldSize) processes",
        "number the processes from 0, or make devices and numNodes agree with the launcher")
    } else if !(0..<processes).contains(local) {
      report(
        "LOCAL_RANK",
        "LOCAL_RANK is \(local), but each node runs \(processes) \(processes == 1 ? "process" : "processes")",
        "start \(processes) on each node, or make devices agree with the launcher")
    } else if node >= request.numNodes {
      reportNode(node, variables)
    } else if let rank = variables.rank, rank != node * processes + local {
      report(
        "RANK",
        "RANK is \(rank), but \(variables.nodeRankName) \(node) and LOCAL_RANK \(local) with \(processes) processes on "
          + "each node make it \(node * processes + local)",
        "number the processes node by node")
    }
    ranks.nodeRank = node
    ranks.localRank = local
    ranks.rank = variables.rank ?? node &* processes &+ local
  }

  private mutating func placeLauncher(_ ranks: inout Ranks, _ variables: RankVariables) {
    ranks.nodeRank = variables.nodeRank ?? 0
    if ranks.nodeRank >= request.numNodes { reportNode(ranks.nodeRank, variables) }
    guard request.numNodes > 1 else { return }
    var missing = ["MASTER_ADDR", "MASTER_PORT"].filter { environment[$0, default: ""].isEmpty }
    if variables.nodeRank == nil { missing.append("NODE_RANK") }
    if missing.isEmpty { return }
    report(
      "numNodes",
      "numNodes is \(request.numNodes), but \(missing.joined(separator: ", ")) "
        + "\(missing.count == 1 ? "is" : "are") not set, so the nodes cannot find each other",
      "on every node set MASTER_ADDR and MASTER_PORT to an address of node 0, and NODE_RANK to 0...\(request.numNodes - 1),"
        + " or start the program with torchrun --no-python")
  }

  private mutating func reportNode(_ node: Int, _ variables: RankVariables) {
    report(
      variables.nodeRankName, "\(variables.nodeRankName) is \(node), but numNodes is \(request.numNodes)",
      "write a larger numNodes, or number the nodes from 0")
  }
}

extension RunPlanResolver {
  /// Finds who started this process: the environment that the user gave, or the one that the variables describe.
  mutating func findEnvironment() {
    if let given = givenEnvironment {
      cluster = given
      return
    }
    do throws(ConfigurationError) {
      cluster = try ClusterEnvironments.detect(environment, accelerator: accelerator, numNodes: request.numNodes)
    } catch {
      problems += error.problems
    }
  }

  /// The environment that the user gave; a worker that Stratagem started for it has its place in variables.
  private var givenEnvironment: (any ClusterEnvironment)? {
    let isOwnWorker = environment[WorkerVariable.supervisor] != nil && environment[WorkerVariable.localRank] != nil
    return isOwnWorker ? nil : request.clusterEnvironment
  }

  /// Whether the processes of the run were started by someone else or by Stratagem before.
  var processesExist: Bool { cluster?.createsProcessesExternally == true }

  /// The nodes of the run: those that the trainer was asked for, or, where the strategy takes them from the launcher, those
  /// on which it started processes.
  var numNodes: Int {
    guard strategy?.takesNodesFromLauncher == true, processesExist, let cluster, request.numNodes == 1,
      let local = cluster.localWorldSize, cluster.worldSize.isMultiple(of: local)
    else { return request.numNodes }
    return cluster.worldSize / local
  }

  /// Finds the number of processes and the place of this one, and checks that what started them agrees.
  mutating func findPlace() -> ClusterPlace? {
    guard let strategy, let indices, request.numNodes > 0, let cluster,
      !problems.contains(where: { $0.parameter == "numNodes" })
    else { return nil }
    guard strategy.isDistributed else {
      if processesExist && cluster.worldSize > 1 {
        warnings.append(
          "\(cluster.name) started \(cluster.worldSize) processes, but strategy '\(strategy.name)' runs in one: each "
            + "of them trains by itself")
      }
      return .alone
    }
    let processes = strategy.processes == .onePerNode ? 1 : indices.count
    let numNodes = self.numNodes
    guard !processes.multipliedReportingOverflow(by: numNodes).overflow else {
      report("numNodes", "numNodes: \(request.numNodes) is too many", "write the number of machines")
      return nil
    }
    do throws(ConfigurationError) {
      // Where a launcher left the rank out, it follows from the number of processes.
      var cluster = cluster
      if givenEnvironment == nil {
        cluster = try ClusterEnvironments.detect(
          environment, accelerator: accelerator, numDevices: processes, numNodes: numNodes)
      }
      try cluster.validate(numDevices: processes, numNodes: numNodes)
      warnings += cluster.warnings
      return ClusterPlace(cluster, processesPerNode: processes, numNodes: numNodes)
    } catch {
      problems += error.problems
      return nil
    }
  }

  /// Threads for the operators of each process: what `OMP_NUM_THREADS` says, else an equal share of the cores.
  mutating func findThreads(processes: Int) -> Int {
    let share = max(1, hardware.cpuCount / max(1, processes))
    guard let text = environment["OMP_NUM_THREADS"], !text.isEmpty else { return share }
    if let threads = Int(text.prefix { $0 != "," }), threads > 0 { return threads }
    warnings.append("OMP_NUM_THREADS is '\(text)', which is not a number of threads; the run uses \(share)")
    return share
  }
}

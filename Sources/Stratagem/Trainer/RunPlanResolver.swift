internal import Torch

/// The work of `RunPlan.resolve`: every step adds to the problems and goes on with what it could make out.
struct RunPlanResolver {
  let request: RunRequest
  let environment: [String: String]
  let hardware: HardwareInventory
  let registry: StrategyRegistry

  var problems: [ConfigurationError.Problem] = []
  var warnings: [String] = []
  var notes: [String] = []

  /// The strategy, once chosen.
  var strategy: StrategyDescription?
  var strategyAlias: String?

  /// The hardware, once chosen.
  var accelerator: AcceleratorKind?

  /// The indices of the devices of this node, once chosen.
  var indices: [Int]?

  var precision: PrecisionKind?

  init(
    request: RunRequest, environment: [String: String], hardware: HardwareInventory, registry: StrategyRegistry
  ) {
    self.request = request
    self.environment = environment
    self.hardware = hardware
    self.registry = registry
  }

  mutating func resolve() throws(ConfigurationError) -> RunPlan {
    findNamedStrategy()
    findAccelerator()
    let variables = RankVariables(environment, &problems)
    findDevices(startedAs: variables)
    chooseStrategy()
    checkStrategyFits()
    findPrecision()
    checkConflicts()
    let ranks = findRanks(variables)
    let threads = findThreads(processes: ranks?.processesPerNode ?? 1)
    if let error = ConfigurationError(problems) { throw error }
    guard let strategy, let accelerator, let indices, let precision, let ranks else {
      throw ConfigurationError("strategy", "no strategy, device or precision was found for the run")
    }
    return RunPlan(
      strategyName: strategy.name, strategyAlias: strategyAlias,
      strategyOptions: strategy.options.merging(strategyAlias.flatMap(StrategyAlias.named)?.presets ?? [:]) { own, _ in
        own
      },
      strategy: strategy, accelerator: accelerator, devices: indices.compactMap(accelerator.device),
      processesPerNode: ranks.processesPerNode, numNodes: request.numNodes, worldSize: ranks.worldSize,
      nodeRank: ranks.nodeRank, localRank: ranks.localRank, rank: ranks.rank,
      startsProcesses: strategy.needsLauncher && !variables.processesExist, threadsPerProcess: threads,
      precision: precision, accumulate: request.accumulate, warnings: warnings, notes: notes)
  }

  mutating func report(_ parameter: String, _ message: String, _ suggestion: String? = nil) {
    problems.append(.init(parameter, message, suggestion: suggestion))
  }
}

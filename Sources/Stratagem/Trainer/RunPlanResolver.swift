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

  /// Who started this process, once found.
  var cluster: (any ClusterEnvironment)?

  init(
    request: RunRequest, environment: [String: String], hardware: HardwareInventory, registry: StrategyRegistry
  ) {
    self.request = request
    self.environment = environment
    self.hardware = hardware
    self.registry = registry
    problems = request.problems
  }

  mutating func resolve() throws(ConfigurationError) -> RunPlan {
    findNamedStrategy()
    findAccelerator()
    findEnvironment()
    replaceSpawn()
    findDevices()
    chooseStrategy()
    checkStrategyFits()
    findPrecision()
    checkConflicts()
    let place = findPlace()
    let backend = chooseBackend()
    let processesPerNode = (place?.worldSize ?? 1) / max(1, numNodes)
    // A replica is a thread, and takes no others for its operators.
    let isReplicated = accelerator == .cpu && strategy?.drivesSeveralDevices == true
    let threads = isReplicated ? 1 : findThreads(processes: processesPerNode)
    if let error = ConfigurationError(problems) { throw error }
    guard let strategy, let accelerator, let indices, let precision, let place else {
      throw ConfigurationError("strategy", "no strategy, device or precision was found for the run")
    }
    return RunPlan(
      strategyName: strategy.name, strategyAlias: strategyAlias,
      strategyOptions: strategyOptions, strategy: strategy, accelerator: accelerator,
      devices: indices.map(accelerator.device),
      processesPerNode: processesPerNode, numNodes: numNodes, cluster: place,
      startsProcesses: strategy.needsLauncher && !place.createsProcessesExternally, threadsPerProcess: threads,
      processGroupBackend: backend, precision: precision, accumulate: request.accumulate, warnings: warnings,
      notes: notes)
  }

  mutating func report(_ parameter: String, _ message: String, _ suggestion: String? = nil) {
    problems.append(.init(parameter, message, suggestion: suggestion))
  }
}

/// The arguments of a run that have to fit each other, exactly as the user wrote them.
///
/// `RunPlan.resolve` turns them into a plan, or says everything that is wrong with them.
public struct RunRequest {
  /// How to distribute the run.
  public var strategy: StrategyReference

  /// The hardware to run on.
  public var accelerator: AcceleratorReference

  /// The devices of each node.
  public var devices: DeviceRequest

  /// The number of machines.
  public var numNodes: Int

  /// The number format.
  public var precision: PrecisionReference

  /// Plugins given to the trainer beside the arguments of their own.
  public var plugins: [PluginDescription] = []

  /// The cluster environment that the strategy object or a plugin brings, or `nil` for the one that the environment
  /// variables describe.
  var clusterEnvironment: (any ClusterEnvironment)? {
    if case .instance(let strategy) = strategy, let given = strategy.clusterEnvironment { return given }
    return plugins.lazy.compactMap(\.clusterEnvironment).first
  }

  /// Batches whose gradients are summed before an optimizer step.
  public var accumulate = 1

  /// The largest norm of all gradients together, or `nil` for no clipping by norm.
  public var clipNorm: Double?

  /// The largest absolute value of a gradient element, or `nil` for no clipping by value.
  public var clipValue: Double?

  /// When training ends, or `nil` for the default.
  public var until: TrainingDuration?

  /// How much of the training data an epoch uses.
  public var limitTrainBatches: Limit = .all

  /// How much of the validation data is used.
  public var limitValidationBatches: Limit = .all

  /// How much of the test data is used.
  public var limitTestBatches: Limit = .all

  /// How much of the prediction data is used.
  public var limitPredictBatches: Limit = .all

  /// Train and validate on these same batches only, without shuffling, or `nil` for a normal run.
  public var overfitBatches: Limit?

  /// After how much of an epoch to validate.
  public var validationInterval: Limit = .all

  /// Validation batches run before training; -1 for all of them.
  public var sanityBatches = 2

  /// Batches of each kind in a dry run, or 0 for a real one.
  public var fastDevRun = 0

  /// Steps between two writes to the loggers.
  public var logInterval = 50

  /// Whether to insist on deterministic operators.
  public var deterministic = false

  /// Whether kernels are chosen by timing them.
  public var benchmark = false

  /// Whether batch normalization uses the statistics of all ranks.
  public var syncBatchNorm = false

  /// Whether the program is an interactive session, such as a notebook or the REPL, which cannot be run again from its
  /// start.
  public var isInteractive = false

  /// What was found to be wrong before the plan is made; reported together with what the plan finds.
  public var problems: [ConfigurationError.Problem] = []

  /// Creates a request; what is left out is as in a trainer without arguments.
  public init(
    strategy: any StrategyConvertible = .auto, accelerator: any AcceleratorConvertible = .auto,
    devices: DeviceRequest = .auto, numNodes: Int = 1, precision: any PrecisionConvertible = .unspecified
  ) {
    self.strategy = strategy.strategyReference
    self.accelerator = accelerator.acceleratorReference
    self.devices = devices
    self.numNodes = numNodes
    self.precision = precision.precisionReference
  }
}

extension RunRequest {
  /// Takes over the arguments of the loops.
  mutating func take(_ settings: TrainerSettings) {
    accumulate = settings.accumulate
    clipNorm = settings.clipNorm
    clipValue = settings.clipValue
    until = settings.until
    limitTrainBatches = settings.limitTrainBatches
    limitValidationBatches = settings.limitValidationBatches
    limitTestBatches = settings.limitTestBatches
    limitPredictBatches = settings.limitPredictBatches
    overfitBatches = settings.overfitBatches
    validationInterval = settings.validationInterval
    sanityBatches = settings.sanityBatches
    fastDevRun = settings.fastDevRun
    logInterval = settings.logInterval
    deterministic = settings.determinism != .off
  }
}

internal import Glibc
internal import Torch
internal import TorchNN

/// Trains, evaluates and runs a ``LightningModule`` on whatever hardware its strategy distributes it over.
///
/// ```swift
/// let trainer = try Trainer(strategy: "ddp", accelerator: "cpu", devices: 3, until: .epochs(5))
/// try trainer.fit(model, data)
/// let scores = try trainer.validate(model, data)
/// ```
///
/// All configuration is checked in the initializer, before a process is started or a file written.
public final class Trainer {
  /// What will run where.
  public let plan: RunPlan
  public let strategy: Strategy
  /// In the order in which they are called; those of the module are among them during a run.
  public internal(set) var callbacks: [Callback]
  public let loggers: [any MetricLogger]
  /// Where checkpoints and metrics go: the same on all ranks.
  public let outputDirectory: String
  public let settings: TrainerSettings

  /// How far the fit has come.
  public internal(set) var progress = TrainingProgress()
  /// The newest value of everything that was logged: what callbacks monitor.
  public internal(set) var callbackMetrics: [String: Double] = [:]
  /// What runs at the moment; nil outside a run.
  public internal(set) var stage: Stage?
  /// True while validation batches are tried before training.
  public internal(set) var isSanityChecking = false
  /// Whether all ranks stop after the same step when a signal asks for it, because none can save alone.
  var stopsTogether = false
  /// Set it to end the fit after the present step; must be set on all ranks at the same step. The fit goes on to its
  /// `minEpochs` and `minSteps` all the same.
  public var shouldStop = false
  /// Batches whose gradients are added up before an optimizer step. A callback may change it between epochs.
  public var accumulate: Int
  /// The batches of an epoch of training, on each rank; nil before they are known.
  public var batchesPerEpoch: Int? { layout?.batchCount }
  /// The module of the run under way.
  public var module: AnyLightningModule? { strategy.module }
  /// Which of several evaluation loaders is at work, from 0.
  public internal(set) var loaderIndex = 0
  var isEpochSkipped = false
  /// Whether the fit under way validates.
  var hasValidation = false
  /// Runs the training step on all batches of an epoch without training; nil outside a fit.
  var passOverTrainingData: (() throws -> Void)?
  /// What orders of samples start from in loaders without a seed of their own: the same on all ranks.
  public internal(set) var sampleSeed: UInt64 = 0
  /// Samples that the last evaluation counted, over all ranks.
  public internal(set) var evaluatedSamples = 0

  var hasAnnouncedPlan = false
  /// Whether a fit has given the loggers a run to write to.
  var hasStartedLoggers = false
  /// Whether a fit in other processes has given the loggers a run, which this process has not opened yet.
  var hasLoggersToContinue = false
  /// The metrics of the epoch of training.
  let trainingMetrics = MetricStore()
  /// The metrics of the stage at work; an evaluation has a store of its own.
  lazy var metrics = trainingMetrics
  let stepRows = StepRows()
  let evaluationRows = StepRows()
  /// Batches that were evaluated on this rank, for rows of single batches.
  var evaluatedBatches = 0
  /// Rows of values that were logged between batches.
  var looseRows: [LoggedRow] = []
  /// After so many batches their rows cross the ranks and go to the loggers.
  static let batchesPerFlush = 50
  /// How the samples of the present fit become batches.
  var layout: BatchLayout?
  /// Whether the last batch ended with an optimizer step: only then is everything that was computed in a checkpoint.
  var isStepBoundary = true
  /// The step after which each metric was last computed.
  var metricSteps: [String: Int] = [:]
  var progressBar: ProgressBar
  /// The checkpoint that the present fit goes on from.
  var resumedPath: String?
  /// What was read of that checkpoint and not yet taken over.
  var restorer: CheckpointRestorer?
  /// The data of the present run.
  var dataModule: (any CheckpointedData)?

  /// - Parameters:
  ///   - strategy: how the model is distributed: an alias (`"ddp"`, `.ddp`), a case with options
  ///     (`.ddp(findUnusedParameters: true)`) or an object.
  ///   - accelerator: the kind of hardware, such as `"cpu"`; `auto` takes the best there is.
  ///   - devices: how many, or which: `3`, `"3"`, `[0, 2]`, `"auto"`. On the CPU the number of processes.
  ///   - numNodes: machines.
  ///   - precision: number formats, such as `"bf16-mixed"`.
  ///   - plugins: objects that take over a part: a ``Precision``, a ``CheckpointIO``, a ``ClusterEnvironment``, a
  ///     ``LayerSync`` or an ``Accelerator``.
  ///   - until: when training ends; 1000 epochs when nothing is said.
  ///   - maxSteps: ends training after so many optimizer steps if that comes earlier.
  ///   - maxTime: ends training after so much wall clock if that comes earlier.
  ///   - minEpochs: before so many epochs ``shouldStop`` does not end training.
  ///   - minSteps: before so many steps ``shouldStop`` does not end training.
  ///   - accumulate: batches whose gradients are added up before the optimizer steps.
  ///   - clipNorm: the largest norm of all gradients together.
  ///   - clipValue: the largest absolute value of a gradient element.
  ///   - overfitBatches: train and validate on these batches of the training data alone, in the same order.
  ///   - fastDevRun: try everything with so many batches of each kind, without loggers and checkpoints.
  ///   - validationInterval: validate after this part of an epoch, or this number of batches.
  ///   - validateEveryEpochs: validate in every so many epochs; nil counts the batches across epochs.
  ///   - sanityBatches: validation batches tried before training; -1 for all.
  ///   - logInterval: steps from one row for the loggers to the next.
  ///   - reloadLoadersEveryEpochs: ask the data for new loaders in every so many epochs; 0 for never.
  ///   - useDistributedSampler: deal the samples to the ranks; otherwise each rank uses its loaders as they are.
  ///   - syncBatchNorm: normalize batches with the statistics of all ranks.
  ///   - deterministic: use deterministic operators alone.
  ///   - benchmark: choose kernels by timing them (GPUs).
  ///   - detectAnomaly: name the operation whose backward makes a NaN; slow.
  ///   - inferenceMode: evaluate in inference mode; otherwise gradients are only not recorded.
  ///   - prepareDataPerNode: prepare data on every node; otherwise on the first one only.
  ///   - seed: seeds all random numbers and the orders of samples; without it a seed is drawn on rank 0 for loaders that
  ///     have none, and recorded in checkpoints.
  ///   - callbacks: run at named moments; a ``ModelCheckpoint`` is added unless there is one or `checkpointing` is off.
  ///   - loggers: where metrics go; a ``CSVLogger`` in the output folder when left out.
  ///   - stateDictType: whether checkpoints are files that rank 0 writes, or folders that all ranks write; what the strategy
  ///     says when left out.
  ///   - summary: print the parts of the model with their sizes when a fit starts; when left out, only above a progress
  ///     bar that is drawn.
  ///   - output: the folder for checkpoints and metrics; `runs/<run id>` when left out.
  ///   - progress: how progress is shown; decided by the terminal when left out.
  /// - Throws: ``ConfigurationError`` with everything that does not fit.
  public init(
    strategy: any StrategyConvertible = .auto, accelerator: any AcceleratorConvertible = .auto,
    devices: DeviceRequest = .auto, numNodes: Int = 1, precision: any PrecisionConvertible = .unspecified,
    plugins: [Any] = [], until: TrainingDuration? = nil, maxSteps: Int? = nil, maxTime: Duration? = nil,
    minEpochs: Int? = nil, minSteps: Int? = nil, accumulate: Int = 1, clipNorm: Double? = nil,
    clipValue: Double? = nil, limitTrainBatches: Limit = .all, limitValidationBatches: Limit = .all,
    limitTestBatches: Limit = .all, limitPredictBatches: Limit = .all, overfitBatches: Limit? = nil,
    fastDevRun: Int = 0, validationInterval: Limit = .all, validateEveryEpochs: Int? = 1, sanityBatches: Int = 2,
    logInterval: Int = 1, reloadLoadersEveryEpochs: Int = 0, useDistributedSampler: Bool = true,
    syncBatchNorm: Bool = false, deterministic: Determinism = .off, benchmark: Bool = false,
    detectAnomaly: Bool = false, inferenceMode: Bool = true, prepareDataPerNode: Bool = true, seed: UInt64? = nil,
    nonFiniteLoss: NonFiniteLoss = .stop, callbacks: [Callback] = [], loggers: [any MetricLogger]? = nil,
    checkpointing: Bool = true, stateDictType: StateDictType? = nil, summary: Bool? = nil, output: String? = nil,
    progress: ProgressBar.Mode? = nil,
    registry: StrategyRegistry = .shared, hardware: HardwareInventory? = nil
  ) throws {
    FileSizeLimit.makeErrors()
    var settings = TrainerSettings()
    settings.until = until
    settings.maxSteps = maxSteps
    settings.maxTime = maxTime
    settings.minEpochs = minEpochs
    settings.minSteps = minSteps
    settings.accumulate = accumulate
    settings.clipNorm = clipNorm
    settings.clipValue = clipValue
    settings.limitTrainBatches = limitTrainBatches
    settings.limitValidationBatches = limitValidationBatches
    settings.limitTestBatches = limitTestBatches
    settings.limitPredictBatches = limitPredictBatches
    settings.overfitBatches = overfitBatches
    settings.fastDevRun = fastDevRun
    settings.validationInterval = validationInterval
    settings.validateEveryEpochs = validateEveryEpochs
    settings.sanityBatches = sanityBatches
    settings.logInterval = logInterval
    settings.reloadLoadersEveryEpochs = reloadLoadersEveryEpochs
    settings.useDistributedSampler = useDistributedSampler
    settings.nonFiniteLoss = nonFiniteLoss
    settings.determinism = deterministic
    settings.detectAnomaly = detectAnomaly
    settings.inferenceMode = inferenceMode
    settings.prepareDataPerNode = prepareDataPerNode
    settings.seed = seed

    let variables = ClusterEnvironments.processVariables
    var request = RunRequest(
      strategy: strategy, accelerator: accelerator, devices: devices, numNodes: numNodes, precision: precision)
    request.take(settings)
    request.benchmark = benchmark
    request.syncBatchNorm = syncBatchNorm
    request.isInteractive = InteractiveSession.isCurrent
    let sorted = TrainerPlugins(plugins)
    request.plugins = sorted.descriptions
    request.problems = sorted.problems + settings.problems
    plan = try RunPlan.resolve(
      request, environment: variables, hardware: hardware ?? HardwareInventory.detect(), registry: registry)
    self.settings = settings.forDryRun()
    self.accumulate = accumulate
    self.strategy = try Trainer.makeStrategy(plan, request, sorted, registry)
    try self.strategy.check(settings)
    outputDirectory = output ?? "runs/" + RunID.resolve(variables)
    let isDryRun = fastDevRun > 0
    let needsCheckpoints = checkpointing && !isDryRun && !callbacks.contains { $0 is ModelCheckpoint }
    self.callbacks = self.settings.ordered(callbacks + (needsCheckpoints ? [ModelCheckpoint()] : []))
    self.loggers = isDryRun ? [] : loggers ?? [CSVLogger(outputDirectory)]
    if let seed { TorchRuntime.manualSeed(seed) }
    let bar = ProgressBar(mode: self.strategy.isGlobalZero ? progress : .silent)
    progressBar = bar
    if summary ?? (bar.mode == .interactive), !callbacks.contains(where: { $0 is ModelSummary }) {
      self.callbacks.insert(ModelSummary(), at: 0)
    }
    if let stateDictType { self.strategy.stateDictType = stateDictType }
    self.strategy.launcher = try self.strategy.configureLauncher()
    if bar.mode == .interactive { self.strategy.launcher.outputHandler = Trainer.printing(above: bar) }
  }

  /// Prints the lines of workers where they do not tear a bar that is being drawn.
  private static func printing(above bar: ProgressBar) -> @Sendable (WorkerOutputLine) -> Void {
    { line in
      if line.stream == .output && isatty(STDOUT_FILENO) == 0 {
        WorkerOutputTag.write(line)
      } else {
        bar.announce(WorkerOutputTag.text(rank: line.rank, colored: getenv("NO_COLOR") == nil) + line.text)
      }
    }
  }

  private static func makeStrategy(
    _ plan: RunPlan, _ request: RunRequest, _ plugins: TrainerPlugins, _ registry: StrategyRegistry
  ) throws(ConfigurationError) -> Strategy {
    let made = try plan.makeStrategy(for: request, registry: registry)
    guard let strategy = made as? Strategy else {
      throw ConfigurationError(
        "strategy", "\(type(of: made)) is not a Strategy", suggestion: "subclass Strategy or one of its subclasses")
    }
    strategy.plan = plan
    strategy.accelerator = strategy.accelerator ?? plugins.accelerator
    strategy.precision = strategy.precision ?? plugins.precision
    strategy.checkpointIO = strategy.checkpointIO ?? plugins.checkpointIO
    strategy.layerSync = strategy.layerSync ?? plugins.layerSync
    if request.syncBatchNorm, strategy.layerSync == nil { strategy.layerSync = SyncBatchNormalization() }
    if strategy.accelerator == nil {
      if case .instance(let given) = request.accelerator {
        strategy.accelerator = given as? Accelerator
      } else {
        strategy.accelerator =
          plan.accelerator == .cuda ? CUDAAccelerator() : CPUAccelerator(threads: plan.threadsPerProcess)
      }
    }
    if strategy.precision == nil {
      if case .instance(let given) = request.precision {
        strategy.precision = given as? Precision
      } else if plan.precision != .float32 {
        strategy.precision = strategy.makePrecision(plan.precision)
      }
    }
    strategy.precision?.deviceKind = plan.accelerator == .cuda ? .cuda : .cpu
    return strategy
  }

  public var rank: Int { strategy.rank }
  public var worldSize: Int { strategy.worldSize }
  public var isGlobalZero: Bool { strategy.isGlobalZero }

  /// The checkpoint callback, if there is one.
  public var modelCheckpoint: ModelCheckpoint? { callbacks.lazy.compactMap { $0 as? ModelCheckpoint }.first }

  /// Ends the epoch under way after the present batch; must be called on all ranks at the same batch.
  public func skipRestOfEpoch() { isEpochSkipped = true }

  /// Prints a line on rank 0, above the progress bar.
  public func announce(_ text: String) {
    if isGlobalZero { progressBar.announce(text) }
  }
}

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
  public let callbacks: [Callback]
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
  /// Set it to end the fit after the present step; must be set on all ranks at the same step.
  public var shouldStop = false
  /// Samples that the last evaluation counted, over all ranks.
  public internal(set) var evaluatedSamples = 0

  var hasAnnouncedPlan = false
  /// Whether a fit has given the loggers a run to write to.
  var hasStartedLoggers = false
  /// Whether a fit in other processes has given the loggers a run, which this process has not opened yet.
  var hasLoggersToContinue = false
  let metrics = MetricStore()
  let stepRows = StepRows()
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

  /// - Parameters:
  ///   - strategy: how the model is distributed: an alias (`"ddp"`, `.ddp`), a case with options
  ///     (`.ddp(findUnusedParameters: true)`) or an object.
  ///   - accelerator: the kind of hardware, such as `"cpu"`; `auto` takes the best there is.
  ///   - devices: how many, or which: `3`, `"3"`, `[0, 2]`, `"auto"`. On the CPU the number of processes.
  ///   - numNodes: machines.
  ///   - precision: number formats, such as `"bf16-mixed"`.
  ///   - until: when training ends; 1000 epochs when nothing is said.
  ///   - maxSteps: ends training after so many optimizer steps if that comes earlier.
  ///   - accumulate: batches whose gradients are added up before the optimizer steps.
  ///   - clipNorm: the largest norm of all gradients together.
  ///   - clipValue: the largest absolute value of a gradient element.
  ///   - callbacks: run at named moments; a ``ModelCheckpoint`` is added unless there is one or `checkpointing` is off.
  ///   - loggers: where metrics go; a ``CSVLogger`` in the output folder when left out.
  ///   - output: the folder for checkpoints and metrics; `runs/<run id>` when left out.
  ///   - progress: how progress is shown; decided by the terminal when left out.
  /// - Throws: ``ConfigurationError`` with everything that does not fit.
  public init(
    strategy: any StrategyConvertible = .auto, accelerator: any AcceleratorConvertible = .auto,
    devices: DeviceRequest = .auto, numNodes: Int = 1, precision: any PrecisionConvertible = .unspecified,
    until: TrainingDuration? = nil, maxSteps: Int? = nil, accumulate: Int = 1, clipNorm: Double? = nil,
    clipValue: Double? = nil, limitTrainBatches: Limit = .all, limitValidationBatches: Limit = .all,
    limitTestBatches: Limit = .all, limitPredictBatches: Limit = .all, validateEveryEpochs: Int = 1,
    sanityBatches: Int = 2, nonFiniteLoss: NonFiniteLoss = .stop, callbacks: [Callback] = [],
    loggers: [any MetricLogger]? = nil, checkpointing: Bool = true, output: String? = nil,
    progress: ProgressBar.Mode? = nil, registry: StrategyRegistry = .shared, hardware: HardwareInventory? = nil
  ) throws {
    let variables = ClusterEnvironments.processVariables
    var request = RunRequest(
      strategy: strategy, accelerator: accelerator, devices: devices, numNodes: numNodes, precision: precision)
    request.accumulate = accumulate
    request.clipNorm = clipNorm
    request.clipValue = clipValue
    request.until = until
    request.limitTrainBatches = limitTrainBatches
    request.limitValidationBatches = limitValidationBatches
    request.limitTestBatches = limitTestBatches
    request.limitPredictBatches = limitPredictBatches
    request.sanityBatches = sanityBatches
    settings = TrainerSettings(
      until: until, maxSteps: maxSteps, accumulate: accumulate, clipNorm: clipNorm, clipValue: clipValue,
      limitTrainBatches: limitTrainBatches, limitValidationBatches: limitValidationBatches,
      limitTestBatches: limitTestBatches, limitPredictBatches: limitPredictBatches,
      validateEveryEpochs: validateEveryEpochs, sanityBatches: sanityBatches, nonFiniteLoss: nonFiniteLoss)
    try settings.check()
    plan = try RunPlan.resolve(
      request, environment: variables, hardware: hardware ?? HardwareInventory.detect(), registry: registry)
    self.strategy = try Trainer.makeStrategy(plan, request, registry)
    outputDirectory = output ?? "runs/" + RunID.resolve(variables)
    let needsCheckpoints = checkpointing && !callbacks.contains { $0 is ModelCheckpoint }
    let all = callbacks + (needsCheckpoints ? [ModelCheckpoint()] : [])
    // Checkpoints come last, so that they contain what the others did.
    self.callbacks = all.filter { !($0 is ModelCheckpoint) } + all.filter { $0 is ModelCheckpoint }
    self.loggers = loggers ?? [CSVLogger(outputDirectory)]
    let bar = ProgressBar(mode: self.strategy.isGlobalZero ? progress : .silent)
    progressBar = bar
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
    _ plan: RunPlan, _ request: RunRequest, _ registry: StrategyRegistry
  ) throws(ConfigurationError) -> Strategy {
    let made = try plan.makeStrategy(for: request, registry: registry)
    guard let strategy = made as? Strategy else {
      throw ConfigurationError(
        "strategy", "\(type(of: made)) is not a Strategy", suggestion: "subclass Strategy or one of its subclasses")
    }
    strategy.plan = plan
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
        strategy.precision = Precision.make(plan.precision)
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

  /// Prints a line on rank 0, above the progress bar.
  public func announce(_ text: String) {
    if isGlobalZero { progressBar.announce(text) }
  }
}

internal import TorchDistributed
public import TorchOptim

/// Weights are averaged by a thread in the background, at an interval of time, while training goes on.
///
/// Every `syncInterval` milliseconds each rank copies its weights, c = x; the copies are summed up over the ranks, S = Σ cᵢ;
/// and x ← x + S/n - c, so that what training has changed meanwhile stays. Training holds a lock on the weights from before
/// forward until after backward, and during the optimizer's step; averaging waits for it, and is then served first.
///
/// The first `warmupSteps` steps average gradients, as ``GradientAllReduce``. The thread is stopped for evaluations,
/// for checkpoints and at the end by ``abort(_:)``, which ranks agree on: it ends on all of them after the same averaging,
/// and all take over the mean of their weights. So what is evaluated or saved, and what a fit ends with, is one model.
/// Needs `flatten`.
///
/// Ranks take as many steps as they have batches, without waiting for each other; in between their weights differ, by what
/// happens in time, so that no two runs are alike. See ``keepsRanksEqual``, and Bagua's `AsyncModelAverageAlgorithm`, which
/// has no mean at the end.
public final class AsyncModelAverage: BaguaAlgorithm {
  public override var name: String { "async" }
  public override var keepsRanksEqual: Bool { false }
  private let milliseconds: Int
  private let warmupSteps: Int
  private var gradients: BaguaGradients?
  private var averager: ModelAverager?
  private var isAborted = false

  /// - Parameters:
  ///   - syncInterval: milliseconds from one averaging to the next; at least 1.
  ///   - warmupSteps: steps at the beginning that average gradients; 0 for none.
  public init(syncInterval: Int = 500, warmupSteps: Int = 0) {
    milliseconds = syncInterval
    self.warmupSteps = warmupSteps
  }

  public override func problems(worldSize: Int, numNodes: Int, flatten: Bool) -> [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    if !flatten {
      problems.append(
        .init("flatten", "algorithm 'async' works on flat weights", suggestion: "leave flatten out, or make it true"))
    }
    if milliseconds < 1 {
      problems.append(
        .init("algorithm", "syncInterval is \(milliseconds) ms", suggestion: "give a number of at least 1"))
    }
    if warmupSteps < 0 {
      problems.append(.init("algorithm", "warmupSteps is \(warmupSteps)", suggestion: "give a number of at least 0"))
    }
    return problems
  }

  /// How often the weights were averaged in this fit, or in the last one, while training went on.
  public var averagingCount: Int { averager?.count ?? lastCount }
  private var lastCount = 0

  public override func begin(_ run: BaguaRun) throws {
    isAborted = false
    guard run.worldSize > 1 else { return }
    let channels = run.channels
    if warmupSteps > 0 { gradients = BaguaGradients(run) { try channels.reduce($0, averaging: true) } }
    averager = ModelAverager(
      channels.world, run.makeWholeBuckets(), seconds: Double(milliseconds) * 1e-3, timeout: run.group.timeout)
  }

  private func isWarmingUp(_ run: BaguaRun) -> Bool { run.step < warmupSteps }

  public override func willRunForward(_ run: BaguaRun, synchronizing: Bool) throws {
    guard let averager, !isWarmingUp(run) else { return }
    gradients?.close()
    gradients = nil
    try averager.check()
    if !isAborted { try averager.start() }
    averager.lock.lockForTraining()
  }

  public override func willRunBackward(_ run: BaguaRun, synchronizing: Bool) throws {
    if synchronizing { gradients?.arm() }
  }

  public override func didRunBackward(_ run: BaguaRun, synchronizing: Bool) throws {
    if synchronizing { try gradients?.finish() }
    if run.module.automaticOptimization { averager?.lock.unlockForTraining() }
  }

  public override func didRunManualStep(_ run: BaguaRun) throws { averager?.lock.unlockForTraining() }

  public override func willStep(_ optimizer: Optimizer, _ run: BaguaRun) throws {
    if run.module.automaticOptimization { averager?.lock.lockForTraining() }
  }

  public override func didStep(_ optimizer: Optimizer, _ run: BaguaRun) throws {
    if run.module.automaticOptimization { averager?.lock.unlockForTraining() }
  }

  /// Stops the averaging on all ranks after the same one; all have the mean of the weights then. All ranks must call it.
  public override func abort(_ run: BaguaRun) throws {
    isAborted = true
    guard let averager, averager.isRunning else { return }
    averager.lock.unlockForTraining()
    try averager.check()
    try run.group.barrier()
    try averager.abort()
  }

  /// Lets the averaging go on with the next training step. All ranks must call it.
  public override func resume(_ run: BaguaRun) throws { isAborted = false }

  public override func whileWeightsRest<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard let averager, averager.isRunning else { return try body() }
    averager.lock.lockForTraining()
    defer { averager.lock.unlockForTraining() }
    return try body()
  }

  public override func end() {
    gradients?.close()
    gradients = nil
    averager?.cancel()
    lastCount = averagingCount
    averager = nil
  }
}

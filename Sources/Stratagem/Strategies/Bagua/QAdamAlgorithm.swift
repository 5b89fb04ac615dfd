internal import Torch
public import TorchOptim

/// Gradients are averaged during the warm-up of the optimizer ``QAdam``; later its first moments are, in 8 bits.
///
/// In the warm-up as ``GradientAllReduce``. Later each rank's momentum follows its own gradient, after clipping, at the
/// optimizer's step: m ← β₁m + (1-β₁)g; then m becomes its mean over the ranks by the scheme of ``ByteGrad``, and the step
/// is made with it. All ranks stay equal, and checkpoints hold all of the state.
///
/// See Bagua's `QAdamAlgorithm` and https://arxiv.org/abs/2102.02888.
public final class QAdamAlgorithm: BaguaAlgorithm {
  public override var name: String { "qadam" }
  public override var isHierarchical: Bool { hierarchical }
  private let hierarchical: Bool
  private var optimizer: QAdam?
  private var gradients: BaguaGradients?
  private var buckets: [BaguaBucket] = []

  /// - Parameter hierarchical: go over the leaders of the nodes.
  public init(hierarchical: Bool = true) { self.hierarchical = hierarchical }

  public override func begin(_ run: BaguaRun) throws {
    try run.requireCompressible(name)
    let optimizer = try requireOptimizer(run)
    self.optimizer = optimizer
    guard run.worldSize > 1 else { return }
    let channels = run.channels
    gradients = BaguaGradients(run) { try channels.reduce($0, averaging: true) }
    let owned = Set(optimizer.parameters.map { ObjectIdentifier($0) })
    buckets = run.makeBuckets(
      of: run.parameters.filter { owned.contains(ObjectIdentifier($0.parameter)) }, alignment: run.worldSize)
  }

  private func requireOptimizer(_ run: BaguaRun) throws -> QAdam {
    let kinds = run.optimizers.map { "\(type(of: $0))" }.joined(separator: ", ")
    guard run.optimizers.count == 1, let optimizer = run.optimizers[0] as? QAdam else {
      throw ConfigurationError(
        "configureOptimizers",
        "algorithm 'qadam' averages the moments of one QAdam optimizer, but \(type(of: run.module)) has "
          + (kinds.isEmpty ? "none" : kinds),
        suggestion: "return OptimizerPlan(QAdam(self, learningRate: 1e-3, warmupSteps: 100)), or use another algorithm")
    }
    guard run.scheduleCount <= 1 else {
      throw ConfigurationError(
        "configureOptimizers", "algorithm 'qadam' takes one learning-rate schedule at most, found \(run.scheduleCount)",
        suggestion: "join them by SequentialLR")
    }
    if let mixed = run.precision as? MixedPrecision, mixed.scaler != nil {
      throw ConfigurationError(
        "precision",
        "algorithm 'qadam' does not go with a loss scale: gradients of one rank may overflow where those of others do not",
        suggestion: "use precision 'bf16-mixed' or '32-true'")
    }
    return optimizer
  }

  public override func willRunBackward(_ run: BaguaRun, synchronizing: Bool) throws {
    if synchronizing, optimizer?.isWarmingUp == true { gradients?.arm() }
  }

  public override func didRunBackward(_ run: BaguaRun, synchronizing: Bool) throws {
    if synchronizing, optimizer?.isWarmingUp == true { try gradients?.finish() }
  }

  public override func willStep(_ optimizer: Optimizer, _ run: BaguaRun) throws {
    guard let optimizer = self.optimizer, !optimizer.isWarmingUp, !buckets.isEmpty else { return }
    gradients?.close()
    gradients = nil
    var momenta: [ObjectIdentifier: Tensor] = [:]
    for entry in optimizer.advanceMomentum() { momenta[ObjectIdentifier(entry.parameter)] = entry.momentum }
    func moments(of bucket: BaguaBucket) -> [Tensor] {
      bucket.parameters.map { momenta[ObjectIdentifier($0.parameter)] ?? .zeros(like: $0.tensor.detached()) }
    }
    let channels = run.channels
    for bucket in buckets {
      bucket.fill(from: moments(of: bucket))
      run.submit { try channels.reduceCompressed(bucket, averaging: true) }
    }
    try run.wait()
    for bucket in buckets {
      bucket.spill(into: moments(of: bucket))
      bucket.release()
    }
  }

  public override func end() {
    gradients?.close()
    gradients = nil
    buckets = []
    optimizer = nil
  }
}

public import Torch
public import TorchDistributed
internal import TorchNN

/// Distributed data parallel: every process has the whole model and its part of each batch; gradients are averaged
/// over the processes while backward runs.
///
/// See "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", https://arxiv.org/abs/2006.15704,
/// and PyTorch's `DistributedDataParallel`.
open class DDPStrategy: ParallelStrategy {
  /// How gradients are reduced.
  public let reduction: GradientReducer.Options
  /// Whether running statistics and other buffers of rank 0 are given to all ranks before each forward.
  public let broadcastBuffers: Bool

  private var reducer: GradientReducer?
  private var buffers: [Tensor] = []
  private var stepsAutomatically = true

  /// - Parameters:
  ///   - findUnusedParameters: look in every step for parameters that the loss does not depend on.
  ///   - bucketMegabytes: how much is reduced together.
  ///   - gradientAsBucketView: let gradients be views of the buckets, which saves their memory.
  ///   - staticGraph: every step uses the same parameters in the same order.
  ///   - broadcastBuffers: give the buffers of rank 0 to all ranks before each forward.
  ///   - timeout: seconds that joining the others, or one collective, may take.
  ///   - startMethod: how the processes are started; those that a cluster or torchrun started are used as they are.
  public init(
    findUnusedParameters: Bool = false, bucketMegabytes: Double = 25, gradientAsBucketView: Bool = false,
    staticGraph: Bool = false, broadcastBuffers: Bool = true, timeout: Double = 1800,
    startMethod: StartMethod = .relaunch,
    accelerator: Accelerator? = nil, precision: Precision? = nil, checkpointIO: (any CheckpointIO)? = nil
  ) {
    var reduction = GradientReducer.Options()
    reduction.findUnusedParameters = findUnusedParameters
    reduction.bucketByteCount = max(1, Int(bucketMegabytes * 1_048_576))
    reduction.gradientAsBucketView = gradientAsBucketView
    reduction.staticGraph = staticGraph
    self.reduction = reduction
    self.broadcastBuffers = broadcastBuffers
    super.init(
      accelerator: accelerator, precision: precision, checkpointIO: checkpointIO, timeout: timeout,
      startMethod: startMethod)
  }

  open override var strategyDescription: StrategyDescription {
    var options: [String: StrategyOption] = [:]
    if reduction.findUnusedParameters { options["findUnusedParameters"] = .flag(true) }
    if startMethod != .relaunch { options["start"] = .text(startMethod.rawValue) }
    return StrategyDescription(
      name: "ddp", summary: "One process per device; gradients averaged during backward.",
      accelerators: [.cpu, .cuda], processes: .onePerDevice, options: options, holdings: givenPlugins)
  }

  open override func configureModule() throws { try configureDDP() }

  /// Makes what reduces the gradients; override it to reduce them another way.
  open func configureDDP() throws {
    guard let module, let group else { return }
    let trained = module.namedParameters().filter { $0.parameter.requiresGradient }
    guard !trained.isEmpty else {
      throw ConfigurationError(
        "strategy", "ddp has nothing to do: no parameter of \(type(of: module)) requires a gradient",
        suggestion: "unfreeze a parameter, or validate instead of fitting")
    }
    stepsAutomatically = module.automaticOptimization
    reducer = try GradientReducer(
      parameters: trained.map { ($0.name, $0.parameter.tensor) }, group: group, options: reduction)
    buffers = broadcastBuffers ? module.namedBuffers().map { $0.buffer.tensor } : []
  }

  open override func trainingStep(_ step: ModuleStep<StepOutput>, synchronizing: Bool) throws -> StepOutput {
    if synchronizing {
      if stepsAutomatically { try reducer?.prepareForForward() }
      if !buffers.isEmpty { try group?.broadcast(buffers) }
    }
    return try super.trainingStep(step, synchronizing: synchronizing)
  }

  open override func backward(_ loss: Tensor, synchronizing: Bool) throws {
    if synchronizing {
      // A module with manual optimization may compute gradients several times in a step, each time anew.
      if !stepsAutomatically { try reducer?.prepareForForward() }
      try reducer?.prepareForBackward(outputs: [loss])
    }
    try super.backward(loss, synchronizing: synchronizing)
    if synchronizing && !loss.isPoisoned { try reducer?.finishBackward() }
  }

  /// Evaluation with the statistics of rank 0 everywhere, so that the result does not depend on the number of ranks.
  open override func prepareForEvaluation() throws {
    guard let group, let module else { return }
    let tensors = module.namedBuffers().map { $0.buffer.tensor }
    if !tensors.isEmpty { try group.broadcast(tensors) }
  }

  open override func tearDown() {
    reducer = nil
    buffers = []
    super.tearDown()
  }
}

extension StrategyConvertible where Self == DDPStrategy {
  /// Distributed data parallel with options; see ``DDPStrategy``.
  public static func ddp(
    findUnusedParameters: Bool = false, bucketMegabytes: Double = 25, gradientAsBucketView: Bool = false,
    staticGraph: Bool = false, broadcastBuffers: Bool = true, timeout: Double = 1800,
    startMethod: StartMethod = .relaunch
  ) -> DDPStrategy {
    DDPStrategy(
      findUnusedParameters: findUnusedParameters, bucketMegabytes: bucketMegabytes,
      gradientAsBucketView: gradientAsBucketView, staticGraph: staticGraph, broadcastBuffers: broadcastBuffers,
      timeout: timeout, startMethod: startMethod)
  }
}

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

  /// What reduces the gradients in a fit; made by ``configureDDP()``.
  public final var wrapper: DistributedDataParallel?

  /// - Parameters:
  ///   - findUnusedParameters: look in every step for parameters that the loss does not depend on.
  ///   - bucketMegabytes: how much is reduced together.
  ///   - gradientAsBucketView: let gradients be views of the buckets, which saves their memory.
  ///   - staticGraph: every step uses the same parameters in the same order.
  ///   - broadcastBuffers: give the buffers of rank 0 to all ranks before each forward.
  ///   - timeout: seconds that joining the others, or one collective, may take.
  ///   - stallNotice: seconds that a rank waits for the others before it is reported where all ranks are.
  ///   - startMethod: how the processes are started; those that a cluster or torchrun started are used as they are.
  public init(
    findUnusedParameters: Bool = false, bucketMegabytes: Double = 25, gradientAsBucketView: Bool = false,
    staticGraph: Bool = false, broadcastBuffers: Bool = true, timeout: Double = 1800,
    stallNotice: Double = 30, startMethod: StartMethod = .relaunch,
    accelerator: Accelerator? = nil, precision: Precision? = nil, checkpointIO: (any CheckpointIO)? = nil,
    devices: [Device]? = nil, clusterEnvironment: (any ClusterEnvironment)? = nil
  ) {
    var reduction = GradientReducer.Options()
    reduction.findUnusedParameters = findUnusedParameters
    reduction.bucketByteCount = max(1, Int(bucketMegabytes * 1_048_576))
    reduction.gradientAsBucketView = gradientAsBucketView
    reduction.staticGraph = staticGraph
    self.reduction = reduction
    self.broadcastBuffers = broadcastBuffers
    super.init(
      accelerator: accelerator, precision: precision, checkpointIO: checkpointIO, devices: devices,
      clusterEnvironment: clusterEnvironment, timeout: timeout, stallNotice: stallNotice, startMethod: startMethod)
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

  /// Wraps the module in what reduces its gradients; override it to set ``wrapper`` to one of your own.
  open func configureDDP() throws {
    guard let module, let group else { return }
    wrapper = try BucketedDataParallel(module, group, reduction, broadcastBuffers: broadcastBuffers)
  }

  open override func trainingStep(_ step: ModuleStep<StepOutput>, synchronizing: Bool) throws -> StepOutput {
    if synchronizing { try wrapper?.willRunForward() }
    return try super.trainingStep(step, synchronizing: synchronizing)
  }

  open override func backward(_ loss: Tensor, synchronizing: Bool) throws {
    if synchronizing { try wrapper?.willRunBackward(from: loss) }
    try super.backward(loss, synchronizing: synchronizing)
    if synchronizing && !loss.isPoisoned { try wrapper?.didRunBackward() }
  }

  open override func tearDown() {
    wrapper = nil
    super.tearDown()
  }
}

extension StrategyConvertible where Self == DDPStrategy {
  /// Distributed data parallel with options; see ``DDPStrategy``.
  public static func ddp(
    findUnusedParameters: Bool = false, bucketMegabytes: Double = 25, gradientAsBucketView: Bool = false,
    staticGraph: Bool = false, broadcastBuffers: Bool = true, timeout: Double = 1800,
    stallNotice: Double = 30, startMethod: StartMethod = .relaunch
  ) -> DDPStrategy {
    DDPStrategy(
      findUnusedParameters: findUnusedParameters, bucketMegabytes: bucketMegabytes,
      gradientAsBucketView: gradientAsBucketView, staticGraph: staticGraph, broadcastBuffers: broadcastBuffers,
      timeout: timeout, stallNotice: stallNotice, startMethod: startMethod)
  }
}

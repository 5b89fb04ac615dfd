internal import Torch
public import TorchDistributed
internal import TorchNN
public import TorchOptim

/// A fit with `bagua` as its algorithm sees it.
public final class BaguaRun {
  public let module: AnyLightningModule
  public let optimizers: [Optimizer]
  /// How many learning-rate schedules the fit has.
  public let scheduleCount: Int
  /// The parameters that require a gradient, the last one of the module first: backward reaches it first.
  public let parameters: [BaguaParameter]
  /// The strategy's group, to be used on the training thread only.
  public let group: ProcessGroup
  /// The groups for what is handed to ``submit(_:)``.
  public let channels: BaguaChannels
  /// Whether vectors of buckets keep their memory, and gradients are views of them.
  public let flatten: Bool
  /// Bytes of a bucket.
  public let bucketByteCount: Int
  /// What adapts the number format, with its loss scale if any.
  public let precision: Precision?
  /// The number of the training step under way, from 0; micro-batches that only accumulate gradients are not counted.
  public internal(set) var step = -1

  private let thread: CommunicationThread

  init(
    _ strategy: BaguaStrategy, _ module: AnyLightningModule, _ group: ProcessGroup, _ channels: BaguaChannels,
    bucketByteCount: Int
  ) throws {
    self.module = module
    self.group = group
    self.channels = channels
    self.bucketByteCount = bucketByteCount
    optimizers = strategy.optimizers
    scheduleCount = strategy.schedules.count
    flatten = strategy.flatten
    precision = strategy.precision
    parameters = module.namedParameters().filter { $0.parameter.requiresGradient }.reversed().map {
      BaguaParameter($0.name, $0.parameter)
    }
    thread = try CommunicationThread("bagua")
  }

  public var worldSize: Int { group.size }

  /// Buckets of parameters, by type and device, of ``bucketByteCount`` each.
  ///
  /// - Parameter alignment: their vectors are padded with zeros to a multiple of this.
  public func makeBuckets(of parameters: [BaguaParameter], alignment: Int = 1) -> [BaguaBucket] {
    BaguaBucket.make(parameters, byteCount: bucketByteCount, alignment: alignment, isPersistent: flatten)
  }

  /// One bucket of all parameters for each type and device.
  public func makeWholeBuckets() -> [BaguaBucket] {
    BaguaBucket.make(parameters, byteCount: nil, isPersistent: flatten)
  }

  /// Hands collectives on ``channels`` to the thread that communicates; all ranks must submit the same ones in the same
  /// order. The tensors in it must not be touched before ``wait()``.
  public func submit(_ job: @escaping () throws -> Void) { thread.submit(job) }

  /// Waits for all that was submitted; throws the error of the first that failed.
  public func wait() throws {
    group.activity.enter(.gradients)
    try thread.wait()
    group.activity.leave()
  }

  /// Does on the communicating thread what `job` says, and waits for it.
  public func perform(_ job: @escaping () throws -> Void) throws {
    submit(job)
    try wait()
  }

  /// Ends the thread.
  func close() { thread.end() }
}

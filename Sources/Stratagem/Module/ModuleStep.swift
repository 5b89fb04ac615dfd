internal import Torch

/// One step of a module on one batch, without the type of the batch, so that a strategy can run it whole or in parts.
public class ModuleStep<Output> {
  /// The samples of the batch.
  public let sampleCount: Int

  init(sampleCount: Int) { self.sampleCount = sampleCount }

  /// Runs the step on the whole batch.
  public func callAsFunction() throws -> Output { fatalError("\(type(of: self)) must override callAsFunction()") }

  /// The step on parts of the batch, cut along the first dimension of its tensors as `torch.chunk` does: at most `count`
  /// parts of ceil(samples / count) samples, the last of which may be shorter.
  ///
  /// - Throws: ``ConfigurationError`` when the batch cannot be cut.
  public func split(into count: Int) throws -> [ModuleStep<Output>] {
    fatalError("\(type(of: self)) must override split(into:)")
  }

  /// The step on the batch as it is on `device`.
  func moved(to device: Device) throws -> ModuleStep<Output> {
    fatalError("\(type(of: self)) must override moved(to:)")
  }
}

/// A step on a batch of known type.
final class BatchStep<Batch, Output>: ModuleStep<Output> {
  private let module: LightningModule<Batch>
  private let batch: Batch
  private let run: (Batch) throws -> Output

  init(
    _ module: LightningModule<Batch>, _ batch: Batch, sampleCount: Int, run: @escaping (Batch) throws -> Output
  ) {
    self.module = module
    self.batch = batch
    self.run = run
    super.init(sampleCount: sampleCount)
  }

  override func callAsFunction() throws -> Output { try run(batch) }

  override func moved(to device: Device) throws -> ModuleStep<Output> {
    BatchStep(module, try module.transfer(batch, to: device), sampleCount: sampleCount, run: run)
  }

  override func split(into count: Int) throws -> [ModuleStep<Output>] {
    try module.split(batch, into: count).map { BatchStep(module, $0.batch, sampleCount: $0.sampleCount, run: run) }
  }
}

import Stratagem

/// A batch the framework knows nothing of.
struct PlainBatch {
  var values: Tensor
}

/// Notes how its batches travel.
final class StructModel: LightningModule<PlainBatch> {
  let fc = Linear(1, 1)
  private let events: EventLog

  init(_ events: EventLog) { self.events = events }

  override func onBeforeBatchTransfer(_ batch: PlainBatch, loader: Int) -> PlainBatch {
    events.note("before \(loader)")
    return PlainBatch(values: batch.values + 1)
  }

  override func transfer(_ batch: PlainBatch, to device: Device) throws -> PlainBatch {
    events.note("transfer to \(device)")
    return PlainBatch(values: batch.values * 2)
  }

  override func onAfterBatchTransfer(_ batch: PlainBatch, loader: Int) throws -> PlainBatch {
    events.note("after \(loader) first=\(try batch.values[0, 0].scalar())")
    return batch
  }

  override func trainingStep(_ batch: PlainBatch, at index: Int) -> StepOutput {
    events.note("step \(index)")
    return .loss(fc(batch.values).mean())
  }

  override func validationStep(_ batch: PlainBatch, at index: Int) -> StepOutput {
    events.note("validation \(index)")
    return .skipped
  }

  override func predictStep(_ batch: PlainBatch, at index: Int) -> Tensor? {
    events.note("predict \(index)")
    return batch.values
  }

  override func configureOptimizers() -> OptimizerPlan { OptimizerPlan(SGD(self, learningRate: 0.1)) }
}

internal import Torch
internal import TorchData
internal import TorchNN

/// Prediction: one row per sample, collected from all ranks in the order of the dataset.
final class PredictionLoop<Batch> {
  private let trainer: Trainer
  private let strategy: Strategy
  private let model: LightningModule<Batch>
  private let loader: DataLoader<Batch>

  init(trainer: Trainer, model: LightningModule<Batch>, loader: DataLoader<Batch>) {
    self.trainer = trainer
    strategy = trainer.strategy
    self.model = model
    self.loader = trainer.distributed(loader, .unrepeated)
  }

  func run() throws -> Tensor? {
    let restoreModes = model.rememberModes()
    let result = try predictAll(restoreModes)
    try model.onPredictModelTrain()
    return result
  }

  private func predictAll(_ restoreModes: () -> Void) throws -> Tensor? {
    defer { restoreModes() }
    try model.onPredictModelEval()
    try trainer.call({ try $0.onPredictStart(self.trainer) }, { try $0.onPredictStart() })
    try strategy.onPredictStart()
    try trainer.call({ try $0.onPredictEpochStart(self.trainer) }, { try $0.onPredictEpochStart() })
    try strategy.prepareForEvaluation()
    let batchCount =
      try trainer.settings.limitPredictBatches.count(of: loader.batchCount, parameter: "limitPredictBatches")
      ?? loader.batchCount
    trainer.progressBar.start(stage: .prediction, totalBatches: batchCount)
    let (rows, indices) = try batches(batchCount)
    trainer.progressBar.finish()
    let result = try collect(rows, indices)
    try trainer.call({ try $0.onPredictEpochEnd(self.trainer) }, { try $0.onPredictEpochEnd() })
    try trainer.call({ try $0.onPredictEnd(self.trainer) }, { try $0.onPredictEnd() })
    try strategy.onPredictEnd()
    return result
  }

  private func batches(_ batchCount: Int) throws -> (rows: [Tensor], indices: [Int]) {
    let batches = loader.iterator(epoch: 0)
    var rows: [Tensor] = []
    var indices: [Int] = []
    var index = 0
    try strategy.beginEvaluation(batches: batchCount)
    while index < batchCount, let loaded = try batches.next() {
      trainer.metrics.beginBatch(samples: loaded.indices.count)
      let prediction = try predict(loaded, index)
      if let prediction {
        guard prediction.ndim > 0, prediction.size(0) == loaded.indices.count else {
          throw TrainingError.unusableStep(
            "predictStep of \(type(of: model)) returned shape \(prediction.shape) for \(loaded.indices.count) samples; "
              + "return one row per sample")
        }
        rows.append(prediction.to(.cpu))
        indices += loaded.indices
      }
      index += 1
      trainer.progressBar.advance(batch: index)
      try trainer.stopIfInterrupted()
    }
    try strategy.endEvaluation()
    return (rows, indices)
  }

  private func predict(_ loaded: LoadedBatch<Batch>, _ index: Int) throws -> Tensor? {
    let batch = try withErrorScope {
      try withoutGradients { try strategy.prepared(loaded.batch, for: model, loader: 0) }
    }
    try trainer.call(
      { try $0.onPredictBatchStart(self.trainer, index, loader: 0) }, { try $0.onPredictBatchStart(index, loader: 0) })
    let prediction = try withErrorScope {
      try withoutGradients {
        try strategy.predictStep(
          BatchStep(model, batch, sampleCount: loaded.indices.count) { [model] in
            try model.predictStep($0, at: index)
          })
      }
    }
    try trainer.call(
      { try $0.onPredictBatchEnd(self.trainer, prediction, index, loader: 0) },
      { try $0.onPredictBatchEnd(prediction, index, loader: 0) })
    return prediction
  }

  private func collect(_ rows: [Tensor], _ indices: [Int]) throws -> Tensor? {
    let counts = try strategy.allGather(object: indices.count)
    guard counts.contains(where: { $0 > 0 }) else { return nil }
    let shapes = try strategy.allGather(object: rows.first.map { Array($0.shape.dropFirst()) } ?? [])
    let types = try strategy.allGather(object: rows.first.map { Int($0.dtype.rawValue) } ?? 0)
    let source = counts.firstIndex { $0 > 0 } ?? 0
    return try withErrorScope {
      let own =
        rows.isEmpty
        ? Tensor.empty([0] + shapes[source], dtype: DType(rawValue: Int8(types[source])) ?? .float32)
        : Tensor.cat(rows)
      let all = Tensor.cat(try strategy.allGather(own))
      let order = Tensor.cat(try strategy.allGather(Tensor(indices)))
      return all.indexSelected(dim: 0, Aten.sort(order).1)
    }
  }
}

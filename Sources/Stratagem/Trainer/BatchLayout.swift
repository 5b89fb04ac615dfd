/// How samples become batches: what the number of batches done in an epoch is counted in.
struct BatchLayout: Equatable {
  let worldSize: Int
  /// Samples in a batch of one rank.
  let batchSize: Int
  /// Batches in an epoch, on each rank.
  let batchCount: Int

  /// Samples in a batch of all ranks together.
  var samplesPerBatch: Int { worldSize * batchSize }
}

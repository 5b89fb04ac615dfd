internal import Torch

/// How far a fit has come.
public struct TrainingProgress: Sendable, Hashable {
  /// Epochs completed.
  public var epoch = 0
  /// Optimizer steps taken: what checkpoints call `global_step`.
  public var globalStep = 0
  /// Batches of the present epoch that are done, on each rank.
  public var batch = 0
  /// Batches done in all epochs, on each rank.
  public var totalBatches = 0
  /// Samples seen, over all ranks.
  public var samples = 0
  /// Seconds of training, over all resumed runs.
  public var seconds = 0.0

  /// The epoch as Lightning counts it, where the epoch that has just ended is still the present one.
  var lightningEpoch: Int { batch == 0 && epoch > 0 ? epoch - 1 : epoch }
}

/// The metrics that one call of the training loop hands to the loggers.
public struct LoggedRow: Sendable {
  /// The epoch, counted from 0.
  public var epoch: Int

  /// The optimizer step during which the values were computed, counted from 0.
  ///
  /// The first training batch logs step 0; values of a validation that runs after the k-th step log step k-1, as in
  /// PyTorch Lightning. A run resumed from a checkpoint whose `global_step` is k therefore continues with step k.
  public var step: Int

  /// Names and values in the order in which they were logged; a name occurs once.
  public var values: [(name: String, value: MetricNumber)]

  /// Makes a row.
  public init(epoch: Int, step: Int, values: [(name: String, value: MetricNumber)]) {
    self.epoch = epoch
    self.step = step
    self.values = values
  }
}

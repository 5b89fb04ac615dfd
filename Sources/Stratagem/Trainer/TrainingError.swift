/// A run that cannot go on.
public enum TrainingError: Error, Sendable, CustomStringConvertible {
  /// The loss of a batch is not a number, or infinite.
  case nonFiniteLoss(value: Double, epoch: Int, batch: Int, step: Int, rank: Int)
  /// Ranks logged different metrics.
  case unequalMetrics(rank: Int, names: [String])
  /// Ranks have different numbers of batches.
  case unequalBatches(counts: [Int])
  /// A step answered something that the stage cannot use.
  case unusableStep(String)
  /// There are no batches where there must be some.
  case noData(String)
  /// The run was asked to stop by a signal.
  case interrupted(signal: Int, checkpoint: String?)

  public var description: String {
    switch self {
    case .nonFiniteLoss(let value, let epoch, let batch, let step, let rank):
      "the loss is \(value.isNaN ? "nan" : "\(value)") in epoch \(epoch), batch \(batch) (step \(step)) on rank \(rank): lower the learning rate, "
        + "clip gradients (clipNorm), or look for bad input; `nonFiniteLoss: .ignore` trains on"
    case .unequalMetrics(let rank, let names):
      "the ranks logged different metrics: rank \(rank) differs in \(names.joined(separator: ", ")); "
        + "log the same names on every rank, also when a value is zero"
    case .unequalBatches(let counts):
      "the ranks have different numbers of training batches (\(counts.map(String.init).joined(separator: ", "))): "
        + "let the trainer deal the samples, or make the loaders equally long"
    case .unusableStep(let text): text
    case .noData(let text): text
    case .interrupted(let signal, let checkpoint):
      "interrupted by signal \(signal)"
        + (checkpoint.map { "; everything up to the last step is in \($0), resume from it" } ?? "")
    }
  }
}

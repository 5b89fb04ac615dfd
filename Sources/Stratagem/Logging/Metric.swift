/// A metric that cannot be had from the values of single batches, such as a score over all samples: it gathers a state,
/// which is merged across the ranks at the end of an epoch.
///
/// ```swift
/// /// The share of the positive samples that were found.
/// final class Recall: Metric {
///   var state = MetricState(sums: [0, 0])
///   func update(_ found: Tensor, _ labels: Tensor) throws {
///     state.sums[0] += try (found * labels).sum().scalar()
///     state.sums[1] += try labels.sum().scalar()
///   }
///   func compute(_ state: MetricState) -> Double { state.sums[0] / state.sums[1] }
///   func reset() { state = MetricState(sums: [0, 0]) }
/// }
/// ```
///
/// In a step, after `update`, the module calls `log("val/recall", recall)`.
public protocol Metric: AnyObject {
  /// What has been gathered on this rank in this epoch: as many numbers on every rank.
  var state: MetricState { get set }

  /// Returns the metric of a state, that of this rank or of all together.
  func compute(_ state: MetricState) -> Double

  /// Forgets what was gathered. Called after every epoch.
  func reset()
}

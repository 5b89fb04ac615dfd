internal import Torch
internal import TorchDistributed

/// Rows of single batches on their way to the loggers: on several ranks they wait until their values have crossed the
/// ranks together.
final class StepRows {
  private var rows: [LoggedRow] = []
  private var weights: [Double] = []

  var count: Int { rows.count }

  /// Takes the values that were logged for the batch at hand.
  func append(epoch: Int, step: Int, from metrics: MetricStore) {
    var values: [(name: String, value: MetricNumber)] = []
    for entry in metrics.entries where entry.isFresh && entry.targets.contains(.step) {
      values.append((entry.name, entry.value))
      weights.append(entry.acrossRanks ? entry.stepWeight : 0)
    }
    if !values.isEmpty { rows.append(LoggedRow(epoch: epoch, step: step, values: values)) }
  }

  /// The rows with the mean over the ranks in place of each value. Called on all ranks after the same batch.
  func flush(_ strategy: Strategy) throws -> [LoggedRow] {
    defer {
      rows.removeAll(keepingCapacity: true)
      weights.removeAll(keepingCapacity: true)
    }
    guard strategy.worldSize > 1 else { return rows }
    let counts = try strategy.allGather(Tensor([weights.count])).map { try $0.integer() }
    if let rank = counts.firstIndex(where: { $0 != counts[0] }) {
      throw TrainingError.unequalMetrics(rank: rank, names: rows.last?.values.map(\.name) ?? [])
    }
    guard !weights.isEmpty else { return rows }
    var contribution: [Double] = []
    contribution.reserveCapacity(2 * weights.count)
    var position = 0
    for row in rows {
      for (_, value) in row.values {
        let weight = weights[position] > 0 ? weights[position] : (strategy.isGlobalZero ? 1 : 0)
        contribution.append(weight > 0 ? value.doubleValue * weight : 0)
        contribution.append(weight)
        position += 1
      }
    }
    let sums = try strategy.reduce(Tensor(contribution), by: .sum).array(as: Double.self)
    position = 0
    for row in rows.indices {
      for column in rows[row].values.indices {
        rows[row].values[column].value = .double(sums[2 * position] / sums[2 * position + 1])
        position += 1
      }
    }
    return rows
  }

  /// The rows with this rank's own values, for a run that ends before the others can be asked.
  func drain() -> [LoggedRow] {
    defer {
      rows.removeAll()
      weights.removeAll()
    }
    return rows
  }
}

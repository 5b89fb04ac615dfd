internal import Torch
internal import TorchDistributed

/// Rows of single batches on their way to the loggers: on several ranks they wait until their values have crossed the
/// ranks together.
final class StepRows {
  private var rows: [LoggedRow] = []
  private var weights: [Double] = []

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
    let signatures = try strategy.allGather(Tensor([signature])).map { try $0.integer() }
    guard signatures.allSatisfy({ $0 == signatures[0] }) else { throw try disagreement(strategy) }
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

  /// A number that differs when the ranks logged different names: FNV-1a of them in their order.
  private var signature: Int {
    var hash: UInt64 = 14_695_981_039_346_656_037
    func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
    for row in rows {
      for (name, _) in row.values {
        for byte in name.utf8 { add(byte) }
        add(0)
      }
      add(1)
    }
    return Int(bitPattern: UInt(hash))
  }

  /// Finds the first rank that logged other names than rank 0. Called on all ranks.
  private func disagreement(_ strategy: Strategy) throws -> TrainingError {
    let all = try strategy.allGather(object: rows.map { $0.values.map(\.name) })
    for (rank, other) in all.enumerated() {
      for index in 0..<max(all[0].count, other.count) {
        let expected = index < all[0].count ? all[0][index] : []
        let found = index < other.count ? other[index] : []
        guard found != expected else { continue }
        let names = Set(found).symmetricDifference(expected).sorted()
        return .unequalMetrics(rank: rank, names: names.isEmpty ? found : names)
      }
    }
    return .unequalMetrics(rank: 0, names: [])
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

internal import Torch
internal import TorchDistributed

/// Rows of single batches on their way to the loggers: on several ranks they wait until their values have crossed the
/// ranks together.
final class StepRows {
  /// A value of a row, next to it in the order of all values.
  private struct Contribution {
    let options: LogOptions
    let samples: Double
  }

  private var rows: [LoggedRow] = []
  private var contributions: [Contribution] = []

  /// Adds the fresh values of the batch at hand; those of the last row's batch join that row.
  func append(epoch: Int, step: Int, batch: Int, from metrics: MetricStore, isGlobalZero: Bool) {
    var values: [(name: String, value: MetricNumber)] = []
    for entry in metrics.entries where entry.isFresh && entry.targets.contains(.step) && entry.options.logger {
      if entry.options.rankZeroOnly && !isGlobalZero { continue }
      values.append((entry.stepName, entry.value))
      contributions.append(Contribution(options: entry.options, samples: entry.stepWeight))
    }
    guard !values.isEmpty else { return }
    if batch == lastBatch, !rows.isEmpty {
      rows[rows.count - 1].values += values
    } else {
      rows.append(LoggedRow(epoch: epoch, step: step, values: values))
    }
    lastBatch = batch
  }

  /// The batch of the last row.
  private var lastBatch = -1

  /// The rows with the value over the ranks in place of each value. Called on all ranks after the same batch.
  func flush(_ strategy: Strategy) throws -> [LoggedRow] {
    defer { forget() }
    guard strategy.worldSize > 1 else { return rows }
    let signatures = try strategy.allGather(Tensor([signature])).map { try $0.integer() }
    guard signatures.allSatisfy({ $0 == signatures[0] }) else { throw try disagreement(strategy) }
    let crossing = contributions.contains { !$0.options.rankZeroOnly && $0.options.acrossRanks }
    if crossing { try cross(strategy) }
    return rows
  }

  /// Puts what all ranks say in the place of each value: all means and sums in one collective, extreme values, where
  /// there are any, in another.
  private func cross(_ strategy: Strategy) throws {
    var sums: [Double] = []
    var maxima: [Double] = []
    sums.reserveCapacity(2 * contributions.count)
    forEachShared { value, contribution in
      let number = value.doubleValue
      switch contribution.options.reduction {
      case .mean:
        let weight = contribution.samples
        sums.append(weight > 0 ? number * weight : 0)
        sums.append(weight > 0 ? weight : 0)
      case .sum: sums.append(number)
      case .min, .max:
        maxima.append(number.isNaN ? -.infinity : contribution.options.reduction == .min ? -number : number)
        sums.append(number.isNaN ? 1 : 0)
      }
    }
    sums = try strategy.reduce(Tensor(sums), by: .sum).array(as: Double.self)
    if !maxima.isEmpty { maxima = try strategy.reduce(Tensor(maxima), by: .maximum).array(as: Double.self) }
    var (sum, maximum) = (0, 0)
    forEachShared { value, contribution in
      switch contribution.options.reduction {
      case .mean:
        // Of batches without samples the value stays this rank's.
        if sums[sum + 1] > 0 { value = .double(sums[sum] / sums[sum + 1]) }
        sum += 2
      case .sum:
        value = .double(sums[sum])
        sum += 1
      case .min, .max:
        let extreme = contribution.options.reduction == .min ? -maxima[maximum] : maxima[maximum]
        value = .double(sums[sum] > 0 ? .nan : extreme)
        sum += 1
        maximum += 1
      }
    }
  }

  /// Visits the values that cross the ranks.
  private func forEachShared(_ body: (inout MetricNumber, Contribution) -> Void) {
    var position = 0
    for row in rows.indices {
      for column in rows[row].values.indices {
        let contribution = contributions[position]
        position += 1
        guard contribution.options.acrossRanks, !contribution.options.rankZeroOnly else { continue }
        body(&rows[row].values[column].value, contribution)
      }
    }
  }

  /// Names and options of the values that all ranks must have, row by row.
  private var sharedNames: [[(name: String, options: LogOptions)]] {
    var position = 0
    return rows.compactMap { row in
      var names: [(name: String, options: LogOptions)] = []
      for (name, _) in row.values {
        let options = contributions[position].options
        position += 1
        if !options.rankZeroOnly { names.append((name, options)) }
      }
      return names.isEmpty ? nil : names
    }
  }

  private var signature: Int {
    var hash = NameHash()
    var position = 0
    for row in rows {
      var isShared = false
      for (name, _) in row.values {
        let options = contributions[position].options
        position += 1
        guard !options.rankZeroOnly else { continue }
        hash.add(name, options.reduction, acrossRanks: options.acrossRanks)
        isShared = true
      }
      if isShared { hash.add(1) }
    }
    return hash.value
  }

  /// Finds the first rank that logged other names than rank 0. Called on all ranks.
  private func disagreement(_ strategy: Strategy) throws -> any Error {
    let own = sharedNames
    let names = try strategy.allGather(object: own.map { $0.map(\.name) })
    let options = try strategy.allGather(object: own.map { $0.map(\.options) })
    let all = zip(names, options).map { zip($0, $1).map { Array(zip($0, $1)) } }
    for (rank, other) in all.enumerated() {
      for index in 0..<max(all[0].count, other.count) {
        let expected = index < all[0].count ? all[0][index] : []
        let found = index < other.count ? other[index] : []
        guard found.map(\.0) != expected.map(\.0) || found.map(\.1) != expected.map(\.1) else { continue }
        return MetricStore.disagreement(
          rank, found.map { (name: $0.0, options: $0.1) }, expected.map { (name: $0.0, options: $0.1) })
      }
    }
    return TrainingError.unequalMetrics(rank: 0, names: [])
  }

  /// The rows with this rank's own values, for a run that ends before the others can be asked, and for evaluations.
  func drain() -> [LoggedRow] {
    defer { forget() }
    return rows
  }

  private func forget() {
    rows.removeAll(keepingCapacity: true)
    contributions.removeAll(keepingCapacity: true)
    lastBatch = -1
  }
}

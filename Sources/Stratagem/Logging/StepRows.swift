internal import Torch
internal import TorchDistributed

/// Rows of single batches on their way to the loggers: on several ranks they wait until their values have crossed the
/// ranks together.
final class StepRows {
  /// A value of a row, next to it in the order of all values.
  struct Contribution {
    let options: LogOptions
    let samples: Double
  }

  var rows: [LoggedRow] = []
  /// The number of the batch of each row.
  var batches: [Int] = []
  var contributions: [Contribution] = []
  /// Whether this rank has had no batch of its own in the epoch, so that it cannot know what the others log.
  var isWithoutBatches = false

  /// Adds the fresh values of the batch at hand; those of the last row's batch join that row.
  func append(epoch: Int, step: Int, batch: Int, from metrics: MetricStore, isGlobalZero: Bool) {
    isWithoutBatches = metrics.isWithoutBatches
    var values: [(name: String, value: MetricNumber)] = []
    for entry in metrics.entries where entry.isFresh && entry.targets.contains(.step) && entry.options.logger {
      if entry.options.rankZeroOnly && !isGlobalZero { continue }
      values.append((entry.stepName, entry.value))
      contributions.append(Contribution(options: entry.options, samples: entry.stepWeight))
    }
    guard !values.isEmpty else { return }
    if batch == batches.last {
      rows[rows.count - 1].values += values
    } else {
      rows.append(LoggedRow(epoch: epoch, step: step, values: values))
      batches.append(batch)
    }
  }

  /// The rows with the value over the ranks in place of each value. Called on all ranks after the same batch.
  func flush(_ strategy: Strategy) throws -> [LoggedRow] {
    defer { forget() }
    guard strategy.worldSize > 1 else { return rows }
    let signatures = try strategy.allGather(Tensor([signature])).map { try $0.integer() }
    if !signatures.allSatisfy({ $0 == signatures[0] }) { try agree(strategy) }
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

  /// The rows with this rank's own values, for a run that ends before the others can be asked, and for evaluations.
  func drain() -> [LoggedRow] {
    defer { forget() }
    return rows
  }

  private func forget() {
    rows.removeAll(keepingCapacity: true)
    batches.removeAll(keepingCapacity: true)
    contributions.removeAll(keepingCapacity: true)
    isWithoutBatches = false
  }
}

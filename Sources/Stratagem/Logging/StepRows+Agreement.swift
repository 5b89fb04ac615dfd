/// What happens when the ranks have not logged the same.
extension StepRows {
  /// What all ranks must have alike of a row.
  private struct SharedRow: Codable {
    var epoch: Int
    var step: Int
    var batch: Int
    var names: [String] = []
    var options: [LogOptions] = []

    var entries: [(name: String, options: LogOptions)] { zip(names, options).map { (name: $0, options: $1) } }
  }

  private struct SharedRows: Codable {
    var isWithoutBatches: Bool
    var rows: [SharedRow] = []
  }

  /// A rank that has had no batch of its own in the epoch, because a resumed run began behind its last one, takes over the
  /// rows of the others, with values that change nothing. Called on all ranks.
  ///
  /// - Throws: an error on all ranks when others have not logged the same.
  func agree(_ strategy: Strategy) throws {
    let all = try strategy.allGather(object: shared)
    guard let expected = all.first(where: { !$0.isWithoutBatches })?.rows else {
      throw TrainingError.unequalMetrics(rank: 0, names: [])
    }
    for (rank, other) in all.enumerated() where !other.isWithoutBatches {
      try StepRows.compare(rank, other.rows, expected)
    }
    if isWithoutBatches { takeOver(expected) }
  }

  private static func compare(_ rank: Int, _ found: [SharedRow], _ expected: [SharedRow]) throws {
    for index in 0..<max(found.count, expected.count) {
      let found = index < found.count ? found[index] : nil
      let expected = index < expected.count ? expected[index] : nil
      guard found?.names != expected?.names || found?.options != expected?.options else { continue }
      throw MetricStore.disagreement(rank, found?.entries ?? [], expected?.entries ?? [])
    }
  }

  private var shared: SharedRows {
    var shared = SharedRows(isWithoutBatches: isWithoutBatches)
    var position = 0
    for (row, batch) in zip(rows, batches) {
      var own = SharedRow(epoch: row.epoch, step: row.step, batch: batch)
      for (name, _) in row.values {
        let options = contributions[position].options
        position += 1
        if options.rankZeroOnly { continue }
        own.names.append(name)
        own.options.append(options)
      }
      if !own.names.isEmpty { shared.rows.append(own) }
    }
    return shared
  }

  private func takeOver(_ expected: [SharedRow]) {
    typealias Value = (name: String, value: MetricNumber)
    var own: [Int: (row: LoggedRow, contributions: [Contribution])] = [:]
    var position = 0
    for (row, batch) in zip(rows, batches) {
      own[batch] = (row, Array(contributions[position..<(position + row.values.count)]))
      position += row.values.count
    }
    let others = Dictionary(uniqueKeysWithValues: expected.map { ($0.batch, $0) })
    rows = []
    contributions = []
    batches = Set(own.keys).union(others.keys).sorted()
    for batch in batches {
      var values: [Value] = []
      if let other = others[batch] {
        for (name, options) in other.entries {
          let place = own[batch]?.row.values.firstIndex { $0.name == name }
          let known = place.flatMap { own[batch]?.contributions[$0] }
          values.append((name, place.flatMap { own[batch]?.row.values[$0].value } ?? options.reduction.neutral))
          contributions.append(known ?? Contribution(options: options, samples: 0))
        }
      }
      if let own = own[batch] {
        for (value, contribution) in zip(own.row.values, own.contributions) where contribution.options.rankZeroOnly {
          values.append(value)
          contributions.append(contribution)
        }
      }
      let epoch = others[batch]?.epoch ?? own[batch]?.row.epoch ?? 0
      rows.append(LoggedRow(epoch: epoch, step: others[batch]?.step ?? own[batch]?.row.step ?? 0, values: values))
    }
  }
}

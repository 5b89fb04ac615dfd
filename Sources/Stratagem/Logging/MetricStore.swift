internal import Torch
internal import TorchDistributed

/// The metrics of a stage under way: values of the batch at hand, and sums over the epoch.
///
/// Means are weighted by samples. Sums cross the ranks in one collective at the end of an epoch; values per batch wait
/// in a buffer and cross in one collective per flush, so that logging never makes a rank wait for another in a step.
final class MetricStore {
  final class Entry {
    let name: String
    let targets: LogTargets
    let progressBar: Bool
    let acrossRanks: Bool
    var value: MetricNumber = .double(0)
    var isFresh = false
    /// Samples in the mean of `value`.
    var stepWeight = 0.0
    var sum = 0.0
    var weight = 0.0

    init(name: String, targets: LogTargets, progressBar: Bool, acrossRanks: Bool) {
      self.name = name
      self.targets = targets
      self.progressBar = progressBar
      self.acrossRanks = acrossRanks
    }

    /// The name of the mean over the epoch: it yields to the values per batch when both are written.
    var epochName: String { targets.contains(.step) ? name + "_epoch" : name }
  }

  private(set) var entries: [Entry] = []
  private var cursor = 0
  /// Samples of the batch at hand on this rank.
  var batchSamples = 0
  private var defaultTargets: LogTargets = .step
  /// False outside the steps of a stage.
  private(set) var isRecording = false

  /// Forgets everything and starts to record.
  func begin(defaultTargets: LogTargets) {
    entries = []
    cursor = 0
    self.defaultTargets = defaultTargets
    isRecording = true
  }

  func end() { isRecording = false }

  /// Starts a batch of `samples` samples on this rank.
  func beginBatch(samples: Int) {
    batchSamples = samples
    cursor = 0
    for entry in entries { entry.isFresh = false }
  }

  func record(
    _ name: String, _ number: MetricNumber, on targets: LogTargets?, progressBar: Bool, acrossRanks: Bool,
    sampleCount: Int?
  ) {
    let entry = entry(name, targets ?? defaultTargets, progressBar, acrossRanks)
    let weight = Double(sampleCount ?? batchSamples)
    entry.value = number
    entry.stepWeight = weight
    entry.isFresh = true
    if entry.targets.contains(.epoch) {
      entry.sum += MetricStore.total(of: number.doubleValue, weight)
      entry.weight += weight
    }
  }

  /// The sum over the samples whose mean is `mean`.
  ///
  /// A mean of counts, such as an accuracy k / n, gives back exactly k, so that its mean over the epoch does not depend on
  /// how the samples were dealt into batches and ranks.
  private static func total(of mean: Double, _ samples: Double) -> Double {
    let total = mean * samples
    let whole = total.rounded()
    return abs(total - whole) <= 2 * whole.ulp ? whole : total
  }

  /// Steps log the same names in the same order, so the next entry is nearly always the one.
  private func entry(_ name: String, _ targets: LogTargets, _ progressBar: Bool, _ acrossRanks: Bool) -> Entry {
    if cursor < entries.count, entries[cursor].name == name {
      cursor += 1
      return entries[cursor - 1]
    }
    if let known = entries.firstIndex(where: { $0.name == name }) {
      cursor = known + 1
      return entries[known]
    }
    let entry = Entry(name: name, targets: targets, progressBar: progressBar, acrossRanks: acrossRanks)
    entries.append(entry)
    cursor = entries.count
    return entry
  }

  /// The means over the epoch, across the ranks, in one collective; the sums start again.
  func epochMeans(_ strategy: Strategy) throws -> [(name: String, value: MetricNumber, progressBar: Bool)] {
    let logged = entries.filter { $0.targets.contains(.epoch) }
    guard !logged.isEmpty || strategy.worldSize > 1 else { return [] }
    var sums = logged.flatMap { [$0.sum, $0.weight] }
    if strategy.worldSize > 1 {
      let names = try agreedNames(logged.map(\.name), strategy)
      guard !names.isEmpty else { return [] }
      // A rank without samples logged nothing; it contributes zeros.
      let contribution = names.flatMap { name -> [Double] in
        guard let entry = logged.first(where: { $0.name == name }) else { return [0, 0] }
        return entry.acrossRanks || strategy.isGlobalZero ? [entry.sum, entry.weight] : [0, 0]
      }
      sums = try strategy.reduce(Tensor(contribution), by: .sum).array(as: Double.self)
    }
    let means = logged.enumerated().map { index, entry in
      let weight = sums[2 * index + 1]
      let mean = MetricNumber.double(weight > 0 ? sums[2 * index] / weight : .nan)
      return (name: entry.epochName, value: mean, progressBar: entry.progressBar)
    }
    for entry in logged {
      entry.sum = 0
      entry.weight = 0
    }
    return means
  }

  /// The names that the ranks logged: all the same, or none on a rank that had no samples.
  private func agreedNames(_ names: [String], _ strategy: Strategy) throws -> [String] {
    let all = try strategy.allGather(object: names)
    guard let longest = all.max(by: { $0.count < $1.count }) else { return names }
    for (rank, other) in all.enumerated() where !other.isEmpty && other != longest {
      let missing = longest.filter { !other.contains($0) } + other.filter { !longest.contains($0) }
      throw TrainingError.unequalMetrics(rank: rank, names: missing.isEmpty ? other : missing)
    }
    return longest
  }

  // The state of an epoch under way, for checkpoints.
  var archive: ArchiveValue {
    .list(
      entries.filter { $0.targets.contains(.epoch) && $0.weight > 0 }.map {
        .dictionary([
          "name": .string($0.name), "sum": .double($0.sum), "weight": .double($0.weight),
          "targets": .int($0.targets.rawValue), "progress_bar": .bool($0.progressBar),
          "across_ranks": .bool($0.acrossRanks),
        ])
      })
  }

  func restore(_ archive: ArchiveValue?) {
    for case .dictionary(let saved) in archive?.listValue ?? [] {
      guard let name = saved["name"]?.stringValue, let sum = saved["sum"]?.doubleValue,
        let weight = saved["weight"]?.doubleValue
      else { continue }
      let targets = LogTargets(rawValue: saved["targets"]?.intValue ?? LogTargets.epoch.rawValue)
      let entry = entry(
        name, targets, saved["progress_bar"]?.boolValue ?? false, saved["across_ranks"]?.boolValue ?? true)
      entry.sum = sum
      entry.weight = weight
    }
    cursor = 0
  }
}

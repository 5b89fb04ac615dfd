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
  /// What is appended to names, to tell several loaders apart.
  var suffix = ""
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
    let name = suffix.isEmpty ? name : name + suffix
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
  ///
  /// A rank that had no samples, and so logged nothing, learns the means all the same: callbacks decide by them.
  func epochMeans(_ strategy: Strategy) throws -> [(name: String, value: MetricNumber, progressBar: Bool)] {
    let logged = entries.filter { $0.targets.contains(.epoch) }
    var names = logged.map(\.epochName)
    if strategy.worldSize > 1 { names = try agreedNames(names, strategy) }
    guard !names.isEmpty else { return [] }
    let own = names.map { name in logged.first { $0.epochName == name } }
    var sums = own.flatMap { entry -> [Double] in
      guard let entry, entry.acrossRanks || strategy.isGlobalZero else { return [0, 0] }
      return [entry.sum, entry.weight]
    }
    if strategy.worldSize > 1 { sums = try strategy.reduce(Tensor(sums), by: .sum).array(as: Double.self) }
    for entry in logged {
      entry.sum = 0
      entry.weight = 0
    }
    return names.indices.map { index in
      let weight = sums[2 * index + 1]
      let mean = MetricNumber.double(weight > 0 ? sums[2 * index] / weight : .nan)
      return (name: names[index], value: mean, progressBar: own[index]?.progressBar ?? false)
    }
  }

  /// The names that the ranks logged: all the same, or none on a rank that had no samples.
  private func agreedNames(_ names: [String], _ strategy: Strategy) throws -> [String] {
    let all = try strategy.allGather(object: names)
    guard let expected = all.first(where: { !$0.isEmpty }) else { return [] }
    for (rank, other) in all.enumerated() where !other.isEmpty && other != expected {
      let differing = Set(expected).symmetricDifference(other).sorted()
      throw TrainingError.unequalMetrics(rank: rank, names: differing.isEmpty ? other : differing)
    }
    return expected
  }

  // The state of an epoch under way, for checkpoints.
  private var epochEntries: [Entry] { entries.filter { $0.targets.contains(.epoch) } }

  /// Sum and weight of each mean of this rank.
  var sums: [Double] { epochEntries.flatMap { [$0.sum, $0.weight] } }

  /// The means under way, with the sums of all ranks; a rank that logged others than this one is left out.
  func archive(_ sums: [[Double]]) -> ArchiveValue {
    let entries = epochEntries
    let complete = sums.filter { $0.count == 2 * entries.count }
    return .list(
      entries.indices.filter { index in complete.contains { $0[2 * index + 1] > 0 } }.map { index in
        .dictionary([
          "name": .string(entries[index].name), "sums": .list(complete.map { .double($0[2 * index]) }),
          "weights": .list(complete.map { .double($0[2 * index + 1]) }),
          "targets": .int(entries[index].targets.rawValue), "progress_bar": .bool(entries[index].progressBar),
          "across_ranks": .bool(entries[index].acrossRanks),
        ])
      })
  }

  /// Takes over the means under way in a checkpoint. On another number of ranks than wrote it, rank 0 takes all sums.
  func restore(_ archive: ArchiveValue?, rank: Int, worldSize: Int) {
    for case .dictionary(let saved) in archive?.listValue ?? [] {
      guard let name = saved["name"]?.stringValue,
        let sums = saved["sums"]?.listValue?.compactMap(\.doubleValue),
        let weights = saved["weights"]?.listValue?.compactMap(\.doubleValue), sums.count == weights.count
      else { continue }
      let targets = LogTargets(rawValue: saved["targets"]?.intValue ?? LogTargets.epoch.rawValue)
      let entry = entry(
        name, targets, saved["progress_bar"]?.boolValue ?? false, saved["across_ranks"]?.boolValue ?? true)
      if sums.count == worldSize {
        entry.sum = sums[rank]
        entry.weight = weights[rank]
      } else if rank == 0 {
        entry.sum = sums.reduce(0, +)
        entry.weight = weights.reduce(0, +)
      }
    }
    cursor = 0
  }
}

internal import Torch
internal import TorchDistributed

/// The metrics of a stage under way: values of the batch at hand, and what the epoch has gathered.
///
/// Means are weighted by samples. What the epoch has gathered crosses the ranks together at its end; values per batch
/// wait in a buffer and cross together at the next flush, so that logging never makes a rank wait for another in a step.
final class MetricStore {
  /// What the steps and the hooks around them logged.
  private(set) var entries: [MetricEntry] = []
  /// What hooks between batches logged.
  private(set) var hookEntries: [MetricEntry] = []
  private var cursor = 0
  /// Samples of the batch at hand on this rank.
  var batchSamples = 0
  /// What is appended to names, to tell several loaders apart.
  var suffix = ""
  private var defaultTargets: LogTargets = .step
  private(set) var epoch = 0
  /// False outside the epochs of a stage.
  private(set) var isRecording = false
  /// Whether a batch is at hand.
  private var isInBatch = false
  /// Whether the batches of the epoch so far were those of other ranks alone.
  private(set) var isWithoutBatches = false
  /// Whether this rank had a batch in the epoch.
  private var hadBatch = false
  /// The first call that cannot be answered; `log` itself does not throw.
  var problem: ConfigurationError?

  /// Forgets everything and starts to record.
  ///
  /// - Parameters:
  ///   - defaultTargets: what is done with values of a batch when the call does not say.
  ///   - epoch: the epoch that values and texts belong to.
  func begin(defaultTargets: LogTargets, epoch: Int) {
    self.epoch = epoch
    entries = []
    hookEntries = []
    cursor = 0
    self.defaultTargets = defaultTargets
    isRecording = true
    isInBatch = false
    isWithoutBatches = false
    hadBatch = false
  }

  func end() { isRecording = false }

  /// Starts a batch of `samples` samples on this rank.
  func beginBatch(samples: Int) {
    batchSamples = samples
    cursor = 0
    isInBatch = true
    hadBatch = true
    for entry in entries {
      entry.isFresh = false
      entry.isOfLastBatch = false
    }
  }

  /// Starts a batch that only other ranks have: what was logged for the batch before is logged with no weight, so that all
  /// ranks log the same names.
  func beginBatchOfOthers() {
    batchSamples = 0
    cursor = 0
    isInBatch = true
    isWithoutBatches = !hadBatch
    for entry in entries where entry.isOfLastBatch { entry.becomeNeutral() }
  }

  /// Throws the error of a call of `log`.
  func check() throws(ConfigurationError) {
    guard let problem else { return }
    self.problem = nil
    throw problem
  }

  // MARK: Recording

  func record(_ name: String, _ number: MetricNumber, _ options: LogOptions, sampleCount: Int?) {
    entry(name, options)?.take(number, samples: Double(sampleCount ?? (isInBatch ? batchSamples : 1)))
  }

  func record(_ name: String, _ metric: any Metric, _ options: LogOptions) {
    entry(name, options)?.take(metric)
  }

  private func entry(_ name: String, _ options: LogOptions) -> MetricEntry? {
    let name = suffix.isEmpty || !options.addsLoaderIndex ? name : name + suffix
    let targets = options.targets ?? (isInBatch ? defaultTargets : .epoch)
    let entry = isInBatch ? batchEntry(name, options, targets) : hookEntry(name, options, targets)
    if let reason = refusal(of: name, targets) {
      refuse(reason.message, reason.suggestion)
      return nil
    }
    var asked = options
    asked.targets = targets
    if entry.options != asked {
      let (known, now) = entry.options.differences(from: asked)
      refuse(
        "'\(name)' was logged with \(known), and now with \(now)", "use one set of arguments, or another name")
      return nil
    }
    return entry
  }

  private func refusal(of name: String, _ targets: LogTargets) -> (message: String, suggestion: String)? {
    if targets.isEmpty {
      return (
        "'\(name)' is logged neither per step nor per epoch (on: [])", "give on: .step, on: .epoch or both of them"
      )
    }
    if !isInBatch, targets.contains(.step) {
      return (
        "'\(name)' is logged with on: .step between batches, where there is no step",
        "leave `on` out, or log it in a step"
      )
    }
    return nil
  }

  private func refuse(_ message: String, _ suggestion: String) {
    if problem == nil { problem = ConfigurationError("log", message, suggestion: suggestion) }
  }

  /// Steps log the same names in the same order, so the next entry is nearly always the one.
  private func batchEntry(_ name: String, _ options: LogOptions, _ targets: LogTargets) -> MetricEntry {
    if cursor < entries.count, entries[cursor].name == name {
      cursor += 1
      return entries[cursor - 1]
    }
    if let known = entries.firstIndex(where: { $0.name == name }) {
      cursor = known + 1
      return entries[known]
    }
    let entry = MetricEntry(name: name, options: options, targets: targets)
    entries.append(entry)
    cursor = entries.count
    return entry
  }

  /// The entry of a name that a checkpoint knows.
  func restoredEntry(_ name: String, _ options: LogOptions) -> MetricEntry {
    defer { cursor = 0 }
    return batchEntry(name, options, options.targets ?? .epoch)
  }

  private func hookEntry(_ name: String, _ options: LogOptions, _ targets: LogTargets) -> MetricEntry {
    if let known = hookEntries.first(where: { $0.name == name }) { return known }
    let entry = MetricEntry(name: name, options: options, targets: targets)
    hookEntries.append(entry)
    return entry
  }

  // MARK: The epoch

  /// What was logged for the epoch since the last call, over all ranks; it starts again. Called on all ranks.
  ///
  /// A rank that had no samples, and so logged nothing, learns the results all the same: callbacks decide by them.
  func results(_ strategy: Strategy) throws -> [MetricResult] {
    isInBatch = false
    try check()
    let touched = (entries + hookEntries).filter(\.isTouched)
    let shared = touched.filter { !$0.options.rankZeroOnly }
    let layouts = try agreed(shared.map(MetricLayout.init), strategy)
    let own = layouts.map { layout in shared.first { $0.name == layout.name } }
    let states = try crossed(
      zip(layouts, own).map { layout, entry in
        guard let entry, entry.options.acrossRanks || strategy.isGlobalZero else { return layout.emptyState }
        return entry.state
      }, strategy)
    var results: [MetricResult] = []
    for (index, layout) in layouts.enumerated() {
      let entry =
        own[index] ?? MetricEntry(name: layout.name, options: layout.options, targets: layout.options.targets ?? .epoch)
      // Only who has the object can compute its result.
      if layout.isMetric, entry.metric == nil { continue }
      results.append(result(of: entry, states[index]))
    }
    for entry in touched where entry.options.rankZeroOnly && strategy.isGlobalZero {
      results.append(result(of: entry, entry.state))
    }
    for entry in touched { entry.reset() }
    return results
  }

  private func result(of entry: MetricEntry, _ state: MetricState) -> MetricResult {
    MetricResult(
      name: entry.name, epochName: entry.epochName, value: entry.result(state),
      progressBar: entry.options.progressBar, logger: entry.options.logger)
  }

  /// Adds up the states of all ranks: all sums in one collective, and all extreme values, where there are any, in another.
  private func crossed(_ states: [MetricState], _ strategy: Strategy) throws -> [MetricState] {
    guard strategy.worldSize > 1, !states.isEmpty else { return states }
    var sums = states.flatMap(\.sums)
    var maxima = states.flatMap { $0.maxima + $0.minima.map { -$0 } }
    sums = try strategy.reduce(Tensor(sums), by: .sum).array(as: Double.self)
    if !maxima.isEmpty { maxima = try strategy.reduce(Tensor(maxima), by: .maximum).array(as: Double.self) }
    var (sumsRest, maximaRest) = (sums[...], maxima[...])
    return states.map { state in
      var state = state
      for index in state.sums.indices { state.sums[index] = sumsRest.removeFirst() }
      for index in state.maxima.indices { state.maxima[index] = maximaRest.removeFirst() }
      for index in state.minima.indices { state.minima[index] = -maximaRest.removeFirst() }
      return state
    }
  }

  /// The metrics that the ranks logged: all the same, or none on a rank that had no samples.
  private func agreed(_ layouts: [MetricLayout], _ strategy: Strategy) throws -> [MetricLayout] {
    guard strategy.worldSize > 1 else { return layouts }
    var hash = NameHash()
    for layout in layouts {
      hash.add(layout.name, layout.options.reduction, acrossRanks: layout.options.acrossRanks)
      for count in [layout.sums, layout.minima, layout.maxima] { hash.add(UInt8(truncatingIfNeeded: count)) }
    }
    let hashes = try strategy.allGather(Tensor([hash.value])).map { try $0.integer() }
    if hashes.allSatisfy({ $0 == hashes[0] }) { return layouts }
    let all = try strategy.allGather(object: layouts)
    guard let expected = all.first(where: { !$0.isEmpty }) else { return [] }
    for (rank, other) in all.enumerated() where !other.isEmpty && other != expected {
      throw MetricStore.disagreement(rank, other.map { ($0.name, $0.options) }, expected.map { ($0.name, $0.options) })
    }
    return expected
  }

  /// What a rank logged differently.
  static func disagreement(
    _ rank: Int, _ found: [(name: String, options: LogOptions)], _ expected: [(name: String, options: LogOptions)]
  ) -> any Error {
    let differing = Set(found.map(\.name)).symmetricDifference(expected.map(\.name)).sorted()
    if !differing.isEmpty { return TrainingError.unequalMetrics(rank: rank, names: differing) }
    for (own, other) in zip(found, expected) where own.name == other.name && own.options != other.options {
      let (now, known) = own.options.differences(from: other.options)
      return ConfigurationError(
        "log", "rank \(rank) logged '\(own.name)' with \(now), other ranks with \(known)",
        suggestion: "use the same arguments on every rank")
    }
    let order = zip(found, expected).first { $0.name != $1.name }?.0.name
    return TrainingError.unequalMetrics(rank: rank, names: order.map { [$0] } ?? found.map(\.name))
  }
}

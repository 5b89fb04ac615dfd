internal import Torch

/// The state of an epoch under way, for checkpoints.
extension MetricStore {
  /// Those that all ranks have come first.
  private var epochEntries: [MetricEntry] {
    let all = entries.filter { $0.targets.contains(.epoch) }
    return all.filter { !$0.options.rankZeroOnly } + all.filter(\.options.rankZeroOnly)
  }

  /// What this rank has gathered, one number after the other.
  var sums: [Double] { epochEntries.flatMap { $0.numbers } }

  /// The metrics under way, with the numbers of all ranks; a rank that logged others than this one is left out.
  func archive(_ sums: [[Double]]) -> ArchiveValue {
    let entries = epochEntries
    let shared = entries.reduce(0) { $0 + ($1.options.rankZeroOnly ? 0 : $1.numbers.count) }
    let total = entries.reduce(0) { $0 + $1.numbers.count }
    let complete = sums.enumerated().filter { $1.count == ($0 == 0 ? total : shared) }.map(\.element)
    var start = 0
    var list: [ArchiveValue] = []
    for entry in entries {
      let end = start + entry.numbers.count
      let parts = complete.prefix(entry.options.rankZeroOnly ? 1 : complete.count).map { Array($0[start..<end]) }
      start = end
      if let saved = entry.archive(parts) { list.append(saved) }
    }
    return .list(list)
  }

  /// Takes over the metrics under way in a checkpoint. On another number of ranks than wrote it, rank 0 takes all, as it
  /// does of its own ones.
  func restore(_ archive: ArchiveValue?, rank: Int, worldSize: Int) {
    for case .dictionary(let saved) in archive?.listValue ?? [] {
      guard let name = saved["name"]?.stringValue,
        let parts = saved["states"]?.listValue?.compactMap({ $0.listValue?.compactMap(\.doubleValue) })
      else { continue }
      let options = LogOptions(saved)
      if options.rankZeroOnly && rank > 0 { continue }
      let entry = restoredEntry(name, options)
      let layout = saved["layout"]?.listValue?.compactMap(\.intValue)
      for (index, part) in parts.enumerated() where parts.count == worldSize ? index == rank : rank == 0 {
        entry.restore(part, layout: layout)
      }
    }
  }
}

extension MetricEntry {
  /// Total and weight, or the state of a metric object.
  fileprivate var numbers: [Double] {
    guard metric != nil || pending != nil else { return [total, weight] }
    return state.sums + state.minima + state.maxima
  }

  /// - Parameter parts: the numbers of each rank.
  /// - Returns: nil when no rank has gathered anything.
  fileprivate func archive(_ parts: [[Double]]) -> ArchiveValue? {
    var saved: ArchiveDictionary = [
      "name": .string(name), "states": .list(parts.map { .list($0.map { .double($0) }) }),
      "targets": .int(targets.rawValue), "reduction": .string(options.reduction.rawValue),
      "progress_bar": .bool(options.progressBar), "logger": .bool(options.logger),
      "across_ranks": .bool(options.acrossRanks), "rank_zero_only": .bool(options.rankZeroOnly),
      "adds_loader_index": .bool(options.addsLoaderIndex),
    ]
    if metric != nil || pending != nil {
      let state = state
      saved["layout"] = .list([state.sums, state.minima, state.maxima].map { .int($0.count) })
    } else if !parts.contains(where: { $0.count == 2 && $0[1] > 0 }) {
      return nil
    }
    return .dictionary(saved)
  }

  fileprivate func restore(_ part: [Double], layout: [Int]?) {
    guard let layout else {
      if part.count == 2 { add(part[0], part[1]) }
      return
    }
    guard layout.count == 3, layout.reduce(0, +) == part.count else { return }
    let state = MetricState(
      sums: Array(part.prefix(layout[0])), minima: Array(part[layout[0]..<layout[0] + layout[1]]),
      maxima: Array(part.suffix(layout[2])))
    if pending == nil { pending = state } else { pending?.merge(state) }
  }
}

extension LogOptions {
  fileprivate init(_ saved: ArchiveDictionary) {
    targets = LogTargets(rawValue: saved["targets"]?.intValue ?? LogTargets.epoch.rawValue)
    reduction = saved["reduction"]?.stringValue.flatMap(MetricReduction.init) ?? .mean
    progressBar = saved["progress_bar"]?.boolValue ?? false
    logger = saved["logger"]?.boolValue ?? true
    acrossRanks = saved["across_ranks"]?.boolValue ?? true
    rankZeroOnly = saved["rank_zero_only"]?.boolValue ?? false
    addsLoaderIndex = saved["adds_loader_index"]?.boolValue ?? true
  }
}

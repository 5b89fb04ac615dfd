internal import Torch
internal import TorchDistributed
internal import TorchNN

/// What does not fit is found before anything is partitioned.
extension ShardingEngine {
  /// - Parameter hasDeferred: whether parameters of this rank have no memory yet.
  /// - Returns: whether those of some rank have none, and are partitioned.
  static func check(
    _ plan: ShardingPlan, _ options: ShardingOptions, hasDeferred: Bool, _ group: ProcessGroup?
  ) throws -> Bool {
    guard plan.units.contains(where: { $0.parameters.contains(where: \.isTrained) }) || options.stage == .parameters
    else {
      throw ConfigurationError(
        "strategy", "there is nothing to partition: no parameter requires a gradient",
        suggestion: "unfreeze a parameter, or validate instead of fitting")
    }
    try checkMemory(plan, options)
    let isDeferred = options.stage == .parameters && hasDeferred
    guard let group, group.size > 1 else { return isDeferred }
    return try compare(plan, options, isDeferred, group)
  }

  /// A unit is gathered as a whole, and so are its gradients.
  private static func checkMemory(_ plan: ShardingPlan, _ options: ShardingOptions) throws {
    guard let limit = options.memoryLimit ?? AvailableMemory.byteCount else { return }
    let sizes = plan.units.map { unit in
      unit.parameters.reduce(0) { sum, parameter in
        let gradient = (options.reduceType ?? .float32).byteCount
        return sum + parameter.count
          * ((options.parameterType ?? parameter.dtype).byteCount + (parameter.isTrained ? gradient : 0))
      }
    }
    guard let largest = sizes.indices.max(by: { sizes[$0] < sizes[$1] }), sizes[largest] > limit else { return }
    let unit = plan.units[largest]
    let place = unit.name.isEmpty ? "what no unit of its own holds (the whole model's unit)" : "unit '\(unit.name)'"
    throw ConfigurationError(
      "wrapPolicy",
      "\(place) does not fit: its \(unit.parameters.count) parameters and their gradients take "
        + "\(sizes[largest] >> 20) MiB when they are gathered, and \(limit >> 20) MiB are there",
      suggestion: "let a wrap policy make units of smaller modules, such as .size(atLeast:) or .modules(of:)")
  }

  /// What the ranks tell each other.
  private struct Facts: Codable {
    let hash: UInt64
    let isDeferred: Bool
  }

  /// All ranks must have the same parameters and options, or they wait for each other with different tensors.
  ///
  /// - Returns: whether the parameters are deferred on some rank.
  private static func compare(
    _ plan: ShardingPlan, _ options: ShardingOptions, _ isDeferred: Bool, _ group: ProcessGroup
  ) throws -> Bool {
    let settings = options.sharedSettings
    let lines =
      settings
      + plan.units.enumerated().flatMap { number, unit in
        unit.parameters.map {
          "\($0.name) \($0.shape) \($0.dtype) \($0.isTrained ? "trained" : "frozen") in '\(unit.name)' (unit \(number))"
        }
      }
    var hash: UInt64 = 14_695_981_039_346_656_037
    for byte in lines.joined(separator: "\n").utf8 { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
    let facts = try group.allGather(object: Facts(hash: hash, isDeferred: isDeferred))
    guard facts.contains(where: { $0.hash != facts[0].hash }) else { return facts.contains(where: \.isDeferred) }
    let all = try group.allGather(object: lines)
    for (rank, own) in all.enumerated() where own != all[0] {
      let place = zip(own, all[0]).enumerated().first { $1.0 != $1.1 }?.offset ?? min(own.count, all[0].count)
      func line(_ lines: [String]) -> String { lines.indices.contains(place) ? "'\(lines[place])'" : "nothing" }
      if place < settings.count {
        throw ConfigurationError(
          "strategy", "the ranks have different options: \(line(own)) on rank \(rank) and \(line(all[0])) on rank 0",
          suggestion: "give all ranks the same options, and the same configuration file on every machine")
      }
      throw ConfigurationError(
        "strategy",
        "the ranks have different models: parameter \(place - settings.count) is \(line(own)) on rank \(rank) and "
          + "\(line(all[0])) on rank 0",
        suggestion: "let all ranks build and freeze the same module")
    }
    return isDeferred
  }
}

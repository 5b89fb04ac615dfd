internal import Torch
internal import TorchDistributed
internal import TorchNN

/// What does not fit is found before anything is partitioned.
extension ShardingEngine {
  static func check(
    _ plan: ShardingPlan, _ partitions: [UnitPartition], _ options: ShardingOptions, _ group: ProcessGroup?
  ) throws {
    guard plan.units.contains(where: { $0.parameters.contains(where: \.isTrained) }) || options.stage == .parameters
    else {
      throw ConfigurationError(
        "strategy", "there is nothing to partition: no parameter requires a gradient",
        suggestion: "unfreeze a parameter, or validate instead of fitting")
    }
    try checkMemory(plan, options)
    if let group, group.size > 1 { try compare(plan, group) }
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

  /// All ranks must have the same parameters, or they wait for each other with different tensors.
  private static func compare(_ plan: ShardingPlan, _ group: ProcessGroup) throws {
    let lines = plan.units.flatMap { unit in
      unit.parameters.map {
        "\($0.name) \($0.shape) \($0.dtype) \($0.isTrained ? "trained" : "frozen") in '\(unit.name)'"
      }
    }
    var hash: UInt64 = 14_695_981_039_346_656_037
    for byte in lines.joined(separator: "\n").utf8 { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
    let hashes = try group.allGather(object: hash)
    guard hashes.contains(where: { $0 != hashes[0] }) else { return }
    let all = try group.allGather(object: lines)
    for (rank, own) in all.enumerated() where own != all[0] {
      let place = zip(own, all[0]).enumerated().first { $1.0 != $1.1 }?.offset ?? min(own.count, all[0].count)
      func line(_ lines: [String]) -> String { lines.indices.contains(place) ? "'\(lines[place])'" : "nothing" }
      throw ConfigurationError(
        "strategy",
        "the ranks have different models: parameter \(place) is \(line(own)) on rank \(rank) and \(line(all[0])) on rank 0",
        suggestion: "let all ranks build and freeze the same module")
    }
  }
}

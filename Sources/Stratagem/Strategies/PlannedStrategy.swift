/// What is known of a strategy that this version cannot run yet: enough to plan a run with it.
final class PlannedStrategy: StrategyDescribing {
  let strategyDescription: StrategyDescription

  init(_ alias: StrategyAlias) {
    let family = Self.families[alias.canonical]
    strategyDescription = StrategyDescription(
      name: alias.canonical, summary: alias.summary, accelerators: family?.accelerators ?? [.cpu, .cuda],
      processes: family?.processes ?? .onePerDevice, maximumDevices: family?.maximumDevices,
      options: alias.presets)
  }

  private struct Family {
    var accelerators: Set<AcceleratorKind> = [.cpu, .cuda]
    var processes = StrategyDescription.Processes.onePerDevice
    var maximumDevices: Int?
  }

  /// The strategies that are not one process for each device on processors or GPUs.
  private static let families: [String: Family] = [
    "hivemind": Family(processes: .one, maximumDevices: 1),
    "colossalai": Family(accelerators: [.cuda]),
    "ipu_strategy": Family(accelerators: [.ipu], processes: .one),
    "hpu_parallel": Family(accelerators: [.hpu]),
    "hpu_single": Family(accelerators: [.hpu], processes: .one, maximumDevices: 1),
    "single_xla": Family(accelerators: [.tpu], processes: .one, maximumDevices: 1),
    "xla": Family(accelerators: [.tpu]),
    "xla_fsdp": Family(accelerators: [.tpu]),
  ]
}

extension RunPlanResolver {
  /// Finds the strategy that the user chose; leaves `auto` for later.
  mutating func findNamedStrategy() {
    switch request.strategy {
    case .instance(let instance): strategy = instance.strategyDescription
    case .named(let name) where name.lowercased() == "auto": break
    case .named(let name): adopt(name)
    }
  }

  /// The options of the strategy: those of its object, else those that its name presets.
  var strategyOptions: [String: StrategyOption] {
    let presets = strategyAlias.flatMap(StrategyAlias.named)?.presets ?? [:]
    return (strategy?.options ?? [:]).merging(presets) { own, _ in own }
  }

  /// Whether the strategy is one of the `ddp_spawn` names, as opposed to an object.
  var isSpawn: Bool {
    guard let strategyAlias, let alias = StrategyAlias.named(strategyAlias) else { return false }
    return alias.canonical == "ddp" && alias.presets["start"] == "spawn"
  }

  /// Takes `ddp` for a `ddp_spawn` name where the processes exist already.
  mutating func replaceSpawn() {
    guard isSpawn, let strategyAlias, let cluster, processesExist, environment[WorkerVariable.supervisor] == nil else {
      return
    }
    let name = strategyAlias.replacing("ddp_spawn", with: "ddp")
    warnings.append("strategy '\(strategyAlias)' is '\(name)' here, because \(cluster.name) has started the processes")
    adopt(name)
  }

  /// Chooses a strategy for the devices when the user left it open; `ddp_spawn` on TPU cores means XLA's.
  mutating func chooseStrategy() {
    guard let accelerator, let indices else { return }
    let several = indices.count > 1 || request.numNodes > 1
    if isSpawn && accelerator == .tpu {
      warnings.append("strategy '\(strategyAlias ?? "")' on TPU cores is '\(several ? "xla" : "single_xla")'")
      return adopt(several ? "xla" : "single_xla")
    }
    guard case .named(let name) = request.strategy, name.lowercased() == "auto" else { return }
    switch accelerator {
    case .cpu, .cuda: adopt(several ? (request.isInteractive ? "ddp_fork" : "ddp") : "single_device")
    case .mps: adopt("single_device")
    case .tpu: adopt(several ? "xla" : "single_xla")
    case .hpu: adopt(several ? "hpu_parallel" : "hpu_single")
    case .ipu: adopt("ipu_strategy")
    }
  }

  /// Checks that the strategy runs on this hardware, these devices and these nodes.
  mutating func checkStrategyFits() {
    guard let strategy else { return }
    if let accelerator, !strategy.accelerators.contains(accelerator) {
      let list = AcceleratorKind.allCases.filter(strategy.accelerators.contains).map(\.rawValue)
      let suggestion =
        switch accelerator {
        case .mps: #"write strategy: "single_device": the DDP family is not supported on MPS"#
        case .tpu: #"write strategy: "xla" or "ddp_spawn", or leave it out"#
        case .hpu: #"write strategy: "hpu_parallel", or leave it out"#
        case .ipu: #"write strategy: "ipu_strategy", or leave it out"#
        case .cpu, .cuda: "it runs on: " + list.joined(separator: ", ")
        }
      report(
        "accelerator", "strategy '\(strategy.name)' does not run on accelerator '\(accelerator)'", suggestion)
    }
    if let most = strategy.maximumDevices, let indices, indices.count > most {
      report(
        "strategy",
        "strategy '\(strategy.name)' uses at most \(most) \(most == 1 ? "device" : "devices"), but devices: "
          + "\(request.devices) asks for \(indices.count)",
        #"write strategy: "ddp" to use them all, or devices: \#(most)"#)
    }
    if !strategy.isDistributed && request.numNodes > 1 {
      report(
        "strategy", "strategy '\(strategy.name)' runs on one node, but numNodes is \(request.numNodes)",
        #"write strategy: "ddp", or numNodes: 1"#)
    }
  }

  mutating func adopt(_ name: String) {
    do throws(ConfigurationError) {
      let entry = try registry.entry(of: name)
      strategy = entry.make().strategyDescription
      strategyAlias = entry.name
    } catch {
      problems += error.problems
    }
  }
}

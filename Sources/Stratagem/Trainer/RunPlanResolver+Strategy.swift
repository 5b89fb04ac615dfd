extension RunPlanResolver {
  /// Finds the strategy that the user chose; leaves `auto` for later.
  mutating func findNamedStrategy() {
    switch request.strategy {
    case .instance(let instance): strategy = instance.strategyDescription
    case .named(let name) where name.lowercased() == "auto": break
    case .named(let name): adopt(name)
    }
  }

  /// Chooses a strategy for the devices when the user left it open.
  mutating func chooseStrategy() {
    guard case .named(let name) = request.strategy, name.lowercased() == "auto", let accelerator, let indices,
      AcceleratorKind.supported.contains(accelerator)
    else { return }
    let several = indices.count > 1 || request.numNodes > 1
    switch accelerator {
    case .cpu, .cuda: adopt(several ? "ddp" : "single_device")
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
      report(
        "accelerator", "strategy '\(strategy.name)' does not run on accelerator '\(accelerator)'",
        accelerator == .mps
          ? #"write strategy: "single_device": the DDP family is not supported on MPS"#
          : "it runs on: " + list.joined(separator: ", "))
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

  private mutating func adopt(_ name: String) {
    do throws(ConfigurationError) {
      let entry = try registry.entry(of: name)
      strategy = entry.make().strategyDescription
      strategyAlias = entry.name
    } catch {
      problems += error.problems
    }
  }
}

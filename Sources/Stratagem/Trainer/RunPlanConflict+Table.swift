internal import Torch

extension RunPlanConflict {
  /// The conflict table, in the order in which conflicts are reported.
  static let table: [RunPlanConflict] = ranges + limits + exclusions + plugins + hardware + launchers

  private static let ranges: [RunPlanConflict] = [
    RunPlanConflict("numNodes below 1") { run in
      run.request.numNodes >= 1
        ? nil : .problem("numNodes", "numNodes: \(run.request.numNodes) is not a positive number", "write 1 or more")
    },
    RunPlanConflict("accumulate below 1") { run in
      run.request.accumulate >= 1
        ? nil
        : .problem(
          "accumulate", "accumulate: \(run.request.accumulate) is not a positive number of batches",
          "write 1 for an optimizer step after every batch")
    },
    RunPlanConflict("clipNorm out of range") { run in positive(run.request.clipNorm, "clipNorm") },
    RunPlanConflict("clipValue out of range") { run in positive(run.request.clipValue, "clipValue") },
    RunPlanConflict("until out of range") { run in
      guard let until = run.request.until, !until.isValid else { return nil }
      return .problem("until", "until: \(until) is not a duration of zero or more", "write, for example, .epochs(5)")
    },
    RunPlanConflict("sanityBatches out of range") { run in
      run.request.sanityBatches >= -1
        ? nil
        : .problem(
          "sanityBatches", "sanityBatches: \(run.request.sanityBatches) is negative", "write -1 for all, or 0 for none")
    },
    RunPlanConflict("fastDevRun negative") { run in
      run.request.fastDevRun >= 0
        ? nil
        : .problem(
          "fastDevRun", "fastDevRun: \(run.request.fastDevRun) is a negative number of batches",
          "write a number of batches, or 0 for a real run")
    },
    RunPlanConflict("logInterval negative") { run in
      run.request.logInterval >= 0
        ? nil
        : .problem(
          "logInterval", "logInterval: \(run.request.logInterval) is a negative number of steps",
          "write 1 for every step, or 0 for no logging")
    },
  ]

  private static let limits: [RunPlanConflict] = [
    limit("limitTrainBatches") { $0.limitTrainBatches },
    limit("limitValidationBatches") { $0.limitValidationBatches },
    limit("limitTestBatches") { $0.limitTestBatches },
    limit("limitPredictBatches") { $0.limitPredictBatches },
    limit("overfitBatches") { $0.overfitBatches ?? .all },
    limit("validationInterval") { $0.validationInterval },
    RunPlanConflict("validationInterval zero") { run in
      switch run.request.validationInterval {
      case .batches(0), .fraction(0):
        .problem(
          "validationInterval",
          "validationInterval: \(run.request.validationInterval) leaves no batch between "
            + "validations",
          "write a number of batches or a fraction of an epoch; limitValidationBatches: 0 turns it off")
      default: nil
      }
    },
  ]

  private static let exclusions: [RunPlanConflict] = [
    RunPlanConflict("clipNorm and clipValue") { run in
      guard let norm = run.request.clipNorm, let value = run.request.clipValue else { return nil }
      return .problem(
        "clipNorm", "clipNorm: \(norm) and clipValue: \(value) are both given",
        "choose one: clipNorm limits the norm of all gradients together, clipValue each element")
    },
    RunPlanConflict("deterministic and benchmark") { run in
      run.request.deterministic && run.request.benchmark
        ? .warning("deterministic and benchmark are both on: choosing kernels by timing is not deterministic") : nil
    },
    RunPlanConflict("accelerator in strategy and trainer") { run in
      guard let strategy = run.strategy, strategy.holdings.accelerator != nil,
        let written = run.request.accelerator.written
      else { return nil }
      return both("accelerator", strategy, "accelerator: \(written)")
    },
    RunPlanConflict("devices in strategy and trainer") { run in
      guard let strategy = run.strategy, strategy.holdings.devices != nil, run.request.devices != .auto,
        run.request.devices != .text("auto")
      else { return nil }
      return both("devices", strategy, "devices: \(run.request.devices)")
    },
    RunPlanConflict("precision in strategy and trainer") { run in
      guard let strategy = run.strategy, let held = strategy.holdings.precision,
        let written = run.request.precision.written
      else { return nil }
      if strategy.holdings.allowsSamePrecision, case .named(let name) = run.request.precision,
        PrecisionKind(name: name) == held
      {
        return nil
      }
      return both("precision", strategy, "precision: \(written)")
    },
    RunPlanConflict("devices of the strategy and accelerator differ") { run in
      guard let devices = run.strategy?.holdings.devices, let accelerator = run.accelerator else { return nil }
      guard let other = devices.first(where: { AcceleratorKind($0) != accelerator }) else { return nil }
      return .problem(
        "accelerator",
        "strategy '\(run.strategy?.name ?? "")' was given the device \(other), but the accelerator is "
          + "'\(accelerator)'", "choose one kind of device")
    },
  ]

  private static let plugins: [RunPlanConflict] =
    PluginRole.allCases.map { role in
      RunPlanConflict("two plugins: \(role)") { run in
        let given = run.request.plugins.filter { $0.role == role }
        guard given.count > 1 else { return nil }
        return .problem(
          "plugins", "plugins has \(given.count) for \(role): \(given.map(\.typeName).joined(separator: ", "))",
          "keep one")
      }
    }
    + PluginRole.allCases.map { role in
      RunPlanConflict("plugin in strategy and trainer: \(role)") { run in
        guard let strategy = run.strategy, strategy.holds(role),
          let plugin = run.request.plugins.first(where: { $0.role == role })
        else { return nil }
        return both("\(role)", strategy, "plugins: \(plugin.typeName)")
      }
    }
    + [
      RunPlanConflict("precision and precision plugin") { run in
        guard let plugin = run.request.plugins.first(where: { $0.role == .precision }),
          let written = run.request.precision.written
        else { return nil }
        return .problem(
          "precision", "precision: \(written) and the precision plugin \(plugin.typeName) are both given", "choose one")
      },
      RunPlanConflict("accelerator and accelerator plugin") { run in
        guard let plugin = run.request.plugins.first(where: { $0.role == .accelerator }),
          let written = run.request.accelerator.written
        else { return nil }
        return .problem(
          "accelerator", "accelerator: \(written) and the accelerator plugin \(plugin.typeName) are both given",
          "choose one")
      },
      RunPlanConflict("syncBatchNorm and layer synchronization plugin") { run in
        guard run.request.syncBatchNorm, let plugin = run.request.plugins.first(where: { $0.role == .layerSync }) else {
          return nil
        }
        return .problem(
          "syncBatchNorm", "syncBatchNorm and the plugin \(plugin.typeName) are both given", "choose one")
      },
    ]

  private static let hardware: [RunPlanConflict] = [
    RunPlanConflict("float64 on hardware without it") { run in
      guard let accelerator = run.accelerator, ![.cpu, .cuda].contains(accelerator) else { return nil }
      guard case .named(let name) = run.request.precision, PrecisionKind(name: name) == .float64 else { return nil }
      return .problem(
        "precision", "precision '\(name)' is not supported on accelerator '\(accelerator)'", #"write "32-true""#)
    },
    RunPlanConflict("bfloat16 on IPUs") { run in
      guard run.accelerator == .ipu, case .named(let name) = run.request.precision,
        let kind = PrecisionKind(name: name), kind == .bfloat16 || kind == .bfloat16Mixed
      else { return nil }
      return .problem(
        "precision", "precision '\(name)' is not supported on accelerator 'ipu'", #"write "32-true" or "16-mixed""#)
    },
    RunPlanConflict("foreign precision plugin on TPU cores") { run in
      guard run.accelerator == .tpu else { return nil }
      var plugin = run.request.plugins.first { $0.role == .precision && $0.accelerator != .tpu }?.typeName
      if case .instance(let instance) = run.request.precision { plugin = plugin ?? "\(type(of: instance))" }
      guard let plugin else { return nil }
      return .problem(
        "precision", "the precision plugin \(plugin) is not made for TPU cores",
        "leave it out, or describe it with accelerator: .tpu")
    },
  ]

  private static let launchers: [RunPlanConflict] = [
    RunPlanConflict("fork where there is none") { run in
      guard let strategy = run.strategy, run.strategyOptions["start"] == "fork", !run.hardware.canFork else {
        return nil
      }
      return .problem(
        "strategy", "strategy '\(run.strategyAlias ?? strategy.name)' forks processes, which this system cannot",
        #"write strategy: "ddp" or "ddp_spawn""#)
    },
    RunPlanConflict("launcher in an interactive session") { run in
      guard let strategy = run.strategy, run.request.isInteractive, strategy.needsLauncher, !run.processesExist,
        run.strategyOptions["start"] != "fork", run.accelerator != .tpu
      else { return nil }
      return .problem(
        "strategy",
        "strategy '\(run.strategyAlias ?? strategy.name)' starts its processes by running the program again, which an "
          + "interactive session cannot",
        strategy.name == "ddp"
          ? #"write strategy: "ddp_notebook""# : #"write strategy: "ddp_notebook" or "dp", or run it as a program"#)
    },
    RunPlanConflict("horovod on several nodes") { run in
      guard let strategy = run.strategy, strategy.name == "horovod", run.request.numNodes > 1 else { return nil }
      return .problem(
        "numNodes",
        "strategy 'horovod' takes the number of nodes from its launcher, but numNodes is "
          + "\(run.request.numNodes)",
        "leave numNodes out and start the program with `mpirun -np "
          + "\((run.indices?.count ?? 1).multipliedReportingOverflow(by: run.request.numNodes).partialValue) PROGRAM`")
    },
  ]

  private static func positive(_ value: Double?, _ parameter: String) -> Finding? {
    guard let value, !(value > 0 && value.isFinite) else { return nil }
    return .problem(
      parameter, "\(parameter): \(value) is not a positive number", "leave it out for no clipping")
  }

  private static func limit(
    _ parameter: String, _ limit: @escaping @Sendable (RunRequest) -> Limit
  ) -> RunPlanConflict {
    RunPlanConflict("\(parameter) out of range") { run in
      switch limit(run.request) {
      case .batches(1): .note("\(parameter): 1 means one batch; 1.0 means all of them")
      case .fraction(1): .note("\(parameter): 1.0 means all batches; 1 means one of them")
      case let limit: limit.problem(of: parameter).map(Finding.problem)
      }
    }
  }

  private static func both(_ parameter: String, _ strategy: StrategyDescription, _ written: String) -> Finding {
    .problem(
      parameter, "\(parameter) is set both in strategy '\(strategy.name)' and in the trainer (\(written))", "choose one"
    )
  }
}

extension StrategyDescription {
  fileprivate func holds(_ role: PluginRole) -> Bool {
    switch role {
    case .accelerator: holdings.accelerator != nil
    case .precision: holdings.precision != nil
    case .checkpointIO, .clusterEnvironment, .layerSync: holdings.plugins.contains(role)
    }
  }
}

extension AcceleratorReference {
  /// What the user wrote, or `nil` for `auto`.
  fileprivate var written: String? {
    switch self {
    case .named(let name): name.lowercased() == "auto" ? nil : "\"\(name)\""
    case .instance(let instance): "\(type(of: instance))"
    }
  }
}

extension PrecisionReference {
  /// What the user wrote, or `nil` for nothing.
  fileprivate var written: String? {
    switch self {
    case .unspecified: nil
    case .named(let name): "\"\(name)\""
    case .instance(let instance): "\(type(of: instance))"
    }
  }
}

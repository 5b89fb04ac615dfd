/// All benchmarks. Both sides of a comparison are measured in turn; the result is the median over the rounds.
struct Suite {
  let runner: Runner
  let rounds: Int
  let note: (String) -> Void

  static let names = [
    "op", "overhead", "python", "start", "ddp", "dp", "hooks", "checkpoint", "sharded-checkpoint", "sharded-memory",
    "sharded-steps", "disk-store", "offload",
  ]

  func rows(_ name: String) throws -> [Row] {
    switch name {
    case "op": try operators()
    case "overhead": try overhead()
    case "python": try python()
    case "start": try start()
    case "ddp": try scaling()
    case "dp": try replicas()
    case "hooks": try communication(rate: nil) + communication(rate: "100mbit")
    case "checkpoint": try checkpoint()
    case "sharded-checkpoint": try shardedCheckpoint()
    case "sharded-memory": try shardedMemory()
    case "sharded-steps": try shardedSteps()
    case "disk-store": try diskStore()
    case "offload": try offload()
    default: throw Failure("'\(name)' is no benchmark: \(Self.names.joined(separator: ", "))")
    }
  }

  private func operators() throws -> [Row] {
    let results = try repeated("op") { try runner.measure("op") }
    return [("add of 4 floats, Swift + / C++", ""), ("the same, recorded for backward", "_recorded")].map {
      row($0, results, "plus_ns" + $1, "cxx_ns" + $1, "ns", "plus_ratio" + $1, .atMost(1.3, "x"))
    }
  }

  private func overhead() throws -> [Row] {
    let results = try repeated("overhead") { try runner.measure("overhead", "--rounds", "5") }
    let target = Row.Target.atMost(20, "us")
    return [
      row("W1 step, Trainer - bare Swift loop", results, "trainer_us", "bare_us", "us", "trainer_over_bare_us", target),
      row("W1 step, Trainer with log and CSV", results, "logging_us", "bare_us", "us", "logging_over_bare_us", target),
      row(
        "W1 step, with CSV and TensorBoard - without", results, "both_us", "trainer_us", "us", "both_over_trainer_us",
        .atMost(10, "us")),
      row("W1 step, bare Swift loop - C++ loop", results, "bare_us", "cxx_us", "us", "bare_over_cxx_us", target),
    ]
  }

  private func python() throws -> [Row] {
    let results = try repeated("python") { () -> [String: Double] in
      let name = "steps_per_second"
      guard let ours = try runner.measure("steps")[name], let bare = try runner.measurePython("bare_loop.py")?[name],
        let lightning = try runner.measurePython("lightning_lean.py")?[name]
      else { return [:] }
      return [
        "ours": ours, "bare": bare, "lightning": lightning, "bare_ratio": ours / bare,
        "lightning_ratio": ours / lightning,
      ]
    }
    return [
      row("W1, Trainer / Lightning lean", results, "ours", "lightning", "steps/s", "lightning_ratio", .atLeast(5, "x")),
      row("W1, Trainer / bare PyTorch loop", results, "ours", "bare", "steps/s", "bare_ratio", .atLeast(2.5, "x")),
    ]
  }

  private func start() throws -> [Row] {
    let results = try repeated("start") { () -> [String: Double] in
      let single = try runner.measure("start")
      var values = ["single": single["seconds"] ?? .nan]
      for strategy in ["ddp", "ddp_spawn", "ddp_fork"] {
        let run = try runner.measure("start", "--strategy", strategy, devices: 2)
        values[strategy] = run["seconds"]
        values[strategy + "_whole"] = run["whole"]
      }
      for name in ["ddp_spawn", "ddp_fork"] {
        values[name + "_more"] = (values[name] ?? .nan) - (values["ddp"] ?? .nan)
        values[name + "_whole_more"] = (values[name + "_whole"] ?? .nan) - (values["ddp_whole"] ?? .nan)
      }
      return values
    }
    let added = Row.Target.atMost(0.3, "s")
    return [
      row("start to first step, single", results, "single", nil, "s", "single", .atMost(0.45, "s")),
      row("start to first step, ddp on 2", results, "ddp", nil, "s", "ddp", .atMost(0.9, "s")),
      row("start to first step, ddp_spawn - ddp", results, "ddp_spawn", "ddp", "s", "ddp_spawn_more", added),
      row(
        "run of a step, ddp_spawn - ddp", results, "ddp_spawn_whole", "ddp_whole", "s", "ddp_spawn_whole_more", added),
      row("start to first step, ddp_fork - ddp", results, "ddp_fork", "ddp", "s", "ddp_fork_more", added),
      row("run of a step, ddp_fork - ddp", results, "ddp_fork_whole", "ddp_whole", "s", "ddp_fork_whole_more", added),
    ]
  }

  private func scaling() throws -> [Row] {
    let results = try repeated("ddp") { () -> [String: Double] in
      let one = try runner.measure("scale")["samples_per_second"] ?? .nan
      let two = try runner.measure("scale", devices: 2)["samples_per_second"] ?? .nan
      let apart = try runner.measureTwo("scale", "samples_per_second")
      return [
        "one": one, "two": two, "apart": apart, "efficiency": two / (2 * one), "apart_efficiency": two / apart,
      ]
    }
    let target = Row.Target.atLeast(0.95, "x")
    return [
      row("W4, ddp on 2 / 2 x single", results, "two", "one", "samples/s", "efficiency", target),
      row("W4, ddp on 2 / two single at once", results, "two", "apart", "samples/s", "apart_efficiency", target),
    ]
  }

  /// Once: memory does not vary, and W5 takes its time.
  private func shardedMemory() throws -> [Row] {
    var rows: [Row] = []
    for stage in 1...3 {
      for devices in [1, 2, 4] {
        note("sharded-memory: stage \(stage) on \(devices)")
        let state = try runner.measure("sharded-state", "--stage", "\(stage)", devices: devices)
        rows.append(
          row(
            "W5, state of a rank, stage \(stage) on \(devices) / formula", [state], "mib", "formula_mib", "MiB",
            "deviation_percent", .atMost(5, "%")))
      }
    }
    var peaks: [String: Double] = [:]
    for strategy in ["fsdp", "deepspeed_stage_3", "ddp"] {
      note("sharded-memory: peak of \(strategy)")
      peaks[strategy] = try runner.measure("sharded-peak", devices: 2, strategy: strategy)["peak_mib"]
    }
    note("sharded-memory: peak of PyTorch FSDP2")
    peaks["FSDP2"] = try runner.measurePython("fsdp2.py", "--workload", "w5", "--steps", "2")?["peak_mib"]
    let limit = Row.Target.atMost(900, "MiB")
    for (strategy, target) in [("fsdp", limit), ("deepspeed_stage_3", limit), ("ddp", Row.Target.none("MiB"))] {
      rows.append(
        row(
          "W5, peak of a rank, \(strategy) on 2 / FSDP2", [peaks], strategy, peaks["FSDP2"].map { _ in "FSDP2" }, "MiB",
          strategy, target))
    }
    return rows
  }

  /// Steps of the same model in the same units, in turn.
  private func shardedSteps() throws -> [Row] {
    let results = try repeated("sharded-steps") { () -> [String: Double] in
      let name = "steps_per_second"
      var values: [String: Double] = [:]
      for strategy in ["fsdp", "deepspeed_stage_3", "ddp_sharded", "ddp"] {
        values[strategy] = try runner.measure("sharded-steps", devices: 2, strategy: strategy)[name]
      }
      if let other = try runner.measurePython("fsdp2.py")?[name] {
        values["FSDP2"] = other
        for strategy in ["fsdp", "deepspeed_stage_3"] {
          values[strategy + " ratio"] = (values[strategy] ?? .nan) / other
        }
      }
      values["ddp_sharded ratio"] = (values["ddp_sharded"] ?? .nan) / (values["ddp"] ?? .nan)
      return values
    }
    var pairs: [(String, String, Double)] = [("ddp_sharded", "ddp", 0.9)]
    if runner.python != nil { pairs += [("fsdp", "FSDP2", 1), ("deepspeed_stage_3", "FSDP2", 1)] }
    return pairs.map { own, other, limit in
      row("W3, \(own) on 2 / \(other) on 2", results, own, other, "steps/s", own + " ratio", .atLeast(limit, "x"))
    }
  }

  private func replicas() throws -> [Row] {
    let results = try repeated("dp") { () -> [String: Double] in
      var numbers: [String: Double] = [:]
      for strategy in ["ddp", "dp"] {
        numbers["w4_" + strategy] = try runner.measure("scale", devices: 2, strategy: strategy)["samples_per_second"]
        numbers["w1_" + strategy] = try runner.measure("steps", devices: 2, strategy: strategy)["steps_per_second"]
      }
      numbers["w4"] = (numbers["w4_dp"] ?? .nan) / (numbers["w4_ddp"] ?? .nan)
      numbers["w1"] = (numbers["w1_dp"] ?? .nan) / (numbers["w1_ddp"] ?? .nan)
      return numbers
    }
    return [
      row("W4, dp on 2 / ddp on 2", results, "w4_dp", "w4_ddp", "samples/s", "w4", .atLeast(0.95, "x")),
      row("W1, dp on 2 / ddp on 2", results, "w1_dp", "w1_ddp", "steps/s", "w1", .atLeast(1, "x")),
    ]
  }

  private func checkpoint() throws -> [Row] {
    let results = try repeated("checkpoint") { try runner.measure("checkpoint", "--rounds", "5") }
    return [
      row(
        "500 MB in the background, blocked / a copy", results, "blocked_ms", "copy_ms", "ms", "ratio", .atMost(1, "x"))
    ]
  }

  /// Every algorithm of `workload algorithms`, on loopback as it is or slowed down.
  private func communication(rate: String?) throws -> [Row] {
    let link = rate ?? "loopback"
    if let obstacle = runner.obstacleToIsolation(rate: rate) {
      note("hooks: skipped on \(link), which needs root with unshare, ip and tc: \(obstacle)")
      return []
    }
    let names = try runner.measure("algorithms").sorted { $0.value < $1.value }.map(\.key)
    let results = try repeated("hooks on \(link)") { () -> [String: Double] in
      var numbers: [String: Double] = [:]
      for name in names {
        let run = try runner.measureIsolated("communication", "--algorithm", name, rate: rate)
        numbers[name] = run["steps_per_second"]
        numbers[name + " bytes"] = run["kilobytes"]
      }
      return numbers
    }
    return names.map { name in
      row(
        "\(name), \(link)", results, name, name == names[0] ? nil : names[0], "steps/s", name + " bytes",
        .none("kB/step/rank"))
    }
  }

  private func diskStore() throws -> [Row] {
    let target = Row.Target.atLeast(0.9, "x")
    let results = try repeated("disk-store") { try runner.measure("disk", "--rounds", "5") }
    return [
      row(
        "500 MB to a disk store / plain direct writes", results, "write", "plain_write", "MB/s", "write_ratio", target),
      row("500 MB from a disk store / plain direct reads", results, "read", "plain_read", "MB/s", "read_ratio", target),
    ]
  }

  /// Less than a quarter of the state is what a process may have.
  private func offload() throws -> [Row] {
    try [1, 2].flatMap { devices -> [Row] in
      note("offload: on \(devices)")
      let memory = try runner.measure("offload", devices: devices)
      var disk = try runner.measure("offload", "--limit", "190", devices: devices)
      disk["memory_seconds"] = memory["seconds"]
      disk["memory_peak"] = memory["peak_mib"]
      disk["seconds_ratio"] = (disk["seconds"] ?? .nan) / (memory["seconds"] ?? .nan)
      disk["peak_ratio"] = (disk["peak_mib"] ?? .nan) / (memory["peak_mib"] ?? .nan)
      return [
        row(
          "GPT-28 on disk on \(devices), state / limit of a process", [disk], "state_mib", "limit_mib", "MiB",
          "state_ratio", .atLeast(4, "x")),
        row(
          "GPT-28 on disk on \(devices), peak / peak in memory", [disk], "peak_mib", "memory_peak", "MiB", "peak_ratio",
          .none("x")),
        row(
          "GPT-28 on disk on \(devices), step / step in memory", [disk], "seconds", "memory_seconds", "s",
          "seconds_ratio", .none("x")),
      ]
    }
  }

  /// Each round writes 4 GB three times: three rounds are enough.
  private func shardedCheckpoint() throws -> [Row] {
    let results = try repeated("sharded-checkpoint", rounds: min(rounds, 3)) {
      try runner.measure("sharded-checkpoint", "--rounds", "3", devices: 2, strategy: "ddp")
    }
    return [
      row(
        "1 GB sharded by 2 ranks / the disk's own rate", results, "sharded_mb_s", "disk_mb_s", "MB/s", "rate_ratio",
        .atLeast(0.8, "x")),
      row(
        "memory to load it / the rank's share", results, "peak_mb", "share_mb", "MB", "memory_ratio", .atMost(1.1, "x")),
    ]
  }

  private func repeated(
    _ name: String, rounds: Int? = nil, _ measure: () throws -> [String: Double]
  ) throws -> [[String: Double]] {
    let rounds = rounds ?? self.rounds
    return try (0..<rounds).map { round in
      note("\(name): round \(round + 1) of \(rounds)")
      return try measure()
    }
  }

  private func row(
    _ name: String, _ results: [[String: Double]], _ measured: String, _ reference: String?, _ unit: String,
    _ value: String, _ target: Row.Target
  ) -> Row {
    func median(_ key: String) -> Double {
      let values = results.map { $0[key] ?? .nan }.sorted()
      return values.count % 2 == 1
        ? values[values.count / 2] : (values[values.count / 2 - 1] + values[values.count / 2]) / 2
    }
    return Row(
      name: name, measured: median(measured), reference: reference.map(median), unit: unit, value: median(value),
      target: target, rounds: results.map { $0[value] ?? .nan })
  }
}

import Glibc
import Stratagem

private enum ZeroBlock {
  static let inMemory: JSONValue = ["stage": 3, "stage3_param_persistence_threshold": 0]

  static func onDisk(_ folder: String) -> JSONValue {
    [
      "stage": 3, "stage3_param_persistence_threshold": 0, "sub_group_size": 262_144,
      "offload_optimizer": ["device": "nvme", "nvme_path": .string(folder)],
      "offload_param": ["device": "nvme", "nvme_path": .string(folder), "max_in_cpu": 0],
    ]
  }
}

/// Stage 3 with all state on disk, in a process that may not have the memory for it.
enum Offload {
  /// Bytes of a parameter, its gradient and two averages in float32.
  private static let bytesPerParameter = 16

  /// Starts this program again with at most so much memory of its own (`ulimit -d`), and thread stacks that count little.
  static func limitMemory(_ mebibytes: Int) throws {
    guard getenv("WORKLOAD_LIMITED") == nil else { return }
    for (resource, bytes) in [(RLIMIT_STACK, 1 << 20), (RLIMIT_DATA, mebibytes << 20)] {
      var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
      setrlimit(__rlimit_resource_t(resource.rawValue), &limit)
    }
    setenv("WORKLOAD_LIMITED", "yes", 1)
    var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
    execv("/proc/self/exe", &arguments)
    throw UsageError("the program cannot be started again: \(String(cString: strerror(errno)))")
  }

  /// A transformer as deep as large ones are, 28 layers of 384 features (50 million parameters), one sample of 64 bytes per
  /// rank, with activation checkpointing: seconds a step and the most memory of rank 0.
  ///
  /// - Parameter limit: in MiB; nil for a run with everything in memory.
  static func measure(limit: Int?, devices: Int, steps: Int, folder: String) throws {
    if let limit { try limitMemory(limit) }
    let zero = limit == nil ? ZeroBlock.inMemory : ZeroBlock.onDisk(folder)
    let clock = StepClock(warmup: 2, window: 1, windows: steps)
    let trainer = try Trainer(
      strategy: DeepSpeedStrategy(
        config: .value(["zero_optimization": zero]),
        activationCheckpointing: ActivationCheckpointPolicy(layersOf: GPT.Block.self)),
      accelerator: "cpu", devices: .count(devices), until: .steps(steps + 2), callbacks: [clock], loggers: [],
      checkpointing: false, progress: .silent)
    let model = try withDeferredInitialization { GPT(width: 384, layers: 28, heads: 6, length: 64) }
    let count = model.parameters().reduce(0) { $0 + $1.tensor.count }
    try trainer.fit(model, train: Sharding.loader(isLarge: true, batch: 1, batches: steps + 2, devices: devices))
    guard trainer.isGlobalZero else { return }
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let state = Double(count * bytesPerParameter) / 1_048_576
    var result = Result()
    result.add("seconds", clock.seconds.median)
    result.add("peak_mib", Double(usage.ru_maxrss) / 1024)
    result.add("state_mib", state)
    if let limit {
      result.add("limit_mib", Double(limit))
      result.add("state_ratio", state / Double(limit))
    }
    result.print()
  }
}

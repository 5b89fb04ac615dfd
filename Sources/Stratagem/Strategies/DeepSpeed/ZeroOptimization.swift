internal import OrderedCollections

/// The block `zero_optimization` of a ``DeepSpeedConfig``: what is partitioned, and where it is kept.
public struct ZeroOptimization: Sendable {
  /// Where what does not fit on the device is kept.
  public enum OffloadDevice: String, Sendable, CaseIterable {
    case none, cpu, nvme
  }

  /// Parameters or optimizer state kept elsewhere.
  public struct Offload: Sendable {
    /// `.cpu` or `.nvme`.
    public let device: OffloadDevice
    /// The folder of the files with `.nvme`.
    public let folder: String?
    /// Buffers in memory for what is read ahead and written behind.
    public let bufferCount: Int
    /// Elements of a buffer.
    public let bufferSize: Int
    /// Elements of parameters that stay in memory with `.nvme`.
    public let maximumInMemory: Int
    /// Whether page-locked host memory was asked for.
    public let pinsMemory: Bool
    /// Whether files are read while the step computes.
    public let readsAhead: Bool
    /// Whether files are written while the step computes.
    public let writesBehind: Bool
  }

  /// 0 partitions nothing, 1 the optimizer state, 2 gradients too, 3 parameters too.
  public let stage: Int
  /// Elements of gradients that are reduced together.
  public let reduceBucketSize: Int
  /// Elements of parameters that are gathered together after a step.
  public let allGatherBucketSize: Int
  /// Whether gradients are reduced while backward computes others.
  public let overlapsCommunication: Bool
  /// Elements that one step of a loop of the optimizer updates.
  public let subGroupSize: Int
  /// Elements of parameters that are gathered ahead of their use.
  public let prefetchBucketSize: Int
  /// Parameters of fewer elements are not partitioned in stage 3.
  public let parameterPersistenceThreshold: Int
  /// The most elements that may stay unpartitioned in stage 3.
  public let modelPersistenceThreshold: Int
  /// The most elements of gathered parameters in stage 3.
  public let maximumLiveParameters: Int
  public let offloadOptimizer: Offload?
  public let offloadParameters: Offload?
  /// Ranks among which everything is partitioned; copies of it are on the others. Nil for all ranks.
  public let shardSize: Int?

  init(_ section: DeepSpeedSection) {
    stage = Self.stage(section)
    reduceBucketSize = section.integer("reduce_bucket_size", default: 500_000_000, atLeast: 1, auto: true)
    allGatherBucketSize = section.integer("allgather_bucket_size", default: 500_000_000, atLeast: 1, auto: true)
    section.note("allgather_bucket_size", because: "parameters are gathered a unit at a time")
    overlapsCommunication = section.flag("overlap_comm", default: stage == 3, auto: true)
    subGroupSize = section.integer("sub_group_size", default: 1_000_000_000, atLeast: 1, auto: true)
    prefetchBucketSize = section.integer(
      section.either("stage3_prefetch_bucket_size", "prefetch_bucket_size"), default: 50_000_000, auto: true)
    parameterPersistenceThreshold = section.integer(
      section.either("stage3_param_persistence_threshold", "param_persistence_threshold"), default: 100_000, auto: true)
    modelPersistenceThreshold = section.integer(
      section.either("stage3_model_persistence_threshold", "model_persistence_threshold"), default: .max, auto: true)
    maximumLiveParameters = section.integer(
      section.either("stage3_max_live_parameters", "max_live_parameters"), default: 1_000_000_000, auto: true)
    section.note(
      "stage3_max_live_parameters", "max_live_parameters", because: "two units at most are gathered at a time")
    offloadOptimizer = Self.offload(
      section, "offload_optimizer", old: "cpu_offload", bufferCount: 4, isForParameters: false)
    offloadParameters = Self.offload(
      section, "offload_param", old: "cpu_offload_param", bufferCount: 5, isForParameters: true)
    shardSize = Self.shardSize(section)
    Self.knowOthers(section)
  }

  private static func stage(_ section: DeepSpeedSection) -> Int {
    let stage = section.integer("stage", default: 0)
    if stage > 3 {
      section.problem("stage", "'zero_optimization.stage' is \(stage)", "give 0, 1, 2 or 3")
      return 3
    }
    return stage
  }

  private static func offload(
    _ section: DeepSpeedSection, _ key: String, old: String, bufferCount: Int, isForParameters: Bool
  ) -> Offload? {
    if section.optionalFlag(old) == true {
      if section.has(key) {
        section.problem(old, "'\(section.name(old))' and '\(section.name(key))' are both given", "remove '\(old)'")
      }
      return Offload(
        device: .cpu, folder: nil, bufferCount: bufferCount, bufferSize: 100_000_000, maximumInMemory: 1_000_000_000,
        pinsMemory: false, readsAhead: true, writesBehind: true)
    }
    return section.section(key) { Self.offload($0, bufferCount: bufferCount, isForParameters) } ?? nil
  }

  private static func offload(_ section: DeepSpeedSection, bufferCount: Int, _ isForParameters: Bool) -> Offload? {
    let device = section.choice("device", OffloadDevice.self, default: OffloadDevice.none) ?? .none
    let folder = section.text("nvme_path")
    let count = section.integer("buffer_count", default: bufferCount, atLeast: 1)
    let pins = section.flag("pin_memory", default: false)
    section.note("pin_memory", because: "host memory is not page-locked")
    var (size, most) = (100_000_000, 1_000_000_000)
    // What is off by default in DeepSpeed, because its threads compete with the optimizer's, costs nothing here.
    var (ahead, behind) = (true, true)
    if isForParameters {
      size = section.integer("buffer_size", default: size, atLeast: 1, auto: true)
      most = section.integer("max_in_cpu", default: most, auto: true)
    } else {
      let both = section.flag("pipeline", default: true)
      ahead = section.flag("pipeline_read", default: both)
      behind = section.flag("pipeline_write", default: both)
      section.ignore("fast_init", because: "state is made when it is first needed")
      section.ignore("ratio", because: "the host updates everything that is offloaded")
      section.ignore("super_offload", "cpuadam_cores_perc", because: "the threads of the process are used")
    }
    if device == .nvme, folder == nil {
      section.problem(
        "nvme_path", "'\(section.name("device"))' is 'nvme' and there is no 'nvme_path'",
        "give the folder for the files")
    }
    guard device != .none else { return nil }
    return Offload(
      device: device, folder: folder, bufferCount: count, bufferSize: size, maximumInMemory: most, pinsMemory: pins,
      readsAhead: ahead, writesBehind: behind)
  }

  /// MiCS partitions among groups of ranks; ZeRO++ keeps a second partition in each node, which is the same thing here.
  private static func shardSize(_ section: DeepSpeedSection) -> Int? {
    let small = section.optionalInteger("mics_shard_size", atLeast: -1).flatMap { $0 > 0 ? $0 : nil }
    let secondary = section.optionalInteger("zero_hpz_partition_size").flatMap { $0 > 1 ? $0 : nil }
    if small != nil, secondary != nil {
      section.problem("mics_shard_size", "'mics_shard_size' and 'zero_hpz_partition_size' are both given", "give one")
    }
    return small ?? secondary
  }

  private static func knowOthers(_ section: DeepSpeedSection) {
    section.ignore(
      "contiguous_gradients", "reduce_scatter", "allgather_partitions", "use_multi_rank_bucket_allreduce",
      "round_robin_gradients", "legacy_stage1", "stage3_module_granularity_threshold", "module_granularity_threshold",
      "stage3_use_all_reduce_for_fetch_params", "use_all_reduce_for_fetch_params", "stage3_max_reuse_distance",
      "max_reuse_distance", "mics_hierarchical_params_gather", "log_trace_cache_warnings", "enable_sanity_checks",
      "stage3_allgather_sequential", "allgather_sequential", "parameter_alignment", "compute_grad_norm", "leaf_module",
      because: "the engine has one way to reduce and gather")
    section.ignore(
      "stage3_gather_16bit_weights_on_model_save", "gather_16bit_weights_on_model_save",
      "stage3_gather_fp16_weights_on_model_save", "elastic_checkpoint", "load_from_fp32_weights",
      "pipeline_loading_checkpoint", because: "every checkpoint holds whole float32 weights")
    section.ignore(
      "ignore_unused_parameters", "memory_efficient_linear", "override_module_apply", "cpu_offload_use_pin_memory",
      "allgather_size", "save_muon_momentum_buffer_in_memory", because: "it concerns DeepSpeed's own layers and buffers"
    )
    for key in [
      "zero_quantized_weights", "zero_quantized_nontrainable_weights", "zero_quantized_gradients", "zeropp_loco_param",
    ] {
      section.refuse(
        key, "rounds what crosses the ranks, which this library does not do",
        "remove it; \"communication_data_type\": \"bf16\" halves the traffic")
    }
    section.refuse("zenflow", "changes the order of updates, and is not part of this library", "remove it")
  }
}

extension DeepSpeedSection {
  /// The one of two names for the same thing that was given; the first when neither was.
  fileprivate func either(_ first: String, _ second: String) -> String {
    know(first)
    know(second)
    if has(first), has(second) {
      problem(second, "'\(first)' and '\(second)' are the same and both given", "remove one")
    }
    return has(second) && !has(first) ? second : first
  }
}

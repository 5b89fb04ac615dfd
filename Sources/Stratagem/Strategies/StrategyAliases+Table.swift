extension StrategyAlias {
  /// Every alias that the library knows, those of Lightning 1.6 to 2.6 and of Fabric.
  ///
  /// `auto` is no alias: the plan of a run replaces it by one of these.
  public static let all: [StrategyAlias] = ddp + replicas + sharded + deepSpeed + others + accelerators + rejected

  private static let ddp: [StrategyAlias] = [
    .init("single_device", nil, [:], "one process on one device", .available),
    .init("ddp", nil, [:], "a process for each device, gradients averaged while they are computed", .available),
    .init(
      "ddp_find_unused_parameters_false", "ddp", ["findUnusedParameters": false],
      "ddp where every parameter gets a gradient at every step", .available),
    .init(
      "ddp_find_unused_parameters_true", "ddp", ["findUnusedParameters": true],
      "ddp where some parameters may get no gradient", .available),
    .init(
      "ddp_spawn", "ddp", ["start": "spawn"], "ddp whose main process is not a rank and goes on afterwards", .available),
    .init(
      "ddp_spawn_find_unused_parameters_false", "ddp", ["start": "spawn", "findUnusedParameters": false],
      "ddp_spawn where every parameter gets a gradient at every step", .available),
    .init(
      "ddp_spawn_find_unused_parameters_true", "ddp", ["start": "spawn", "findUnusedParameters": true],
      "ddp_spawn where some parameters may get no gradient", .available),
    .init("ddp_fork", "ddp", ["start": "fork"], "ddp whose processes are forked", .available),
    .init(
      "ddp_fork_find_unused_parameters_false", "ddp", ["start": "fork", "findUnusedParameters": false],
      "ddp_fork where every parameter gets a gradient at every step", .available),
    .init(
      "ddp_fork_find_unused_parameters_true", "ddp", ["start": "fork", "findUnusedParameters": true],
      "ddp_fork where some parameters may get no gradient", .available),
    .init("ddp_notebook", "ddp", ["start": "fork"], "ddp for interactive sessions; the same as ddp_fork", .available),
    .init(
      "ddp_notebook_find_unused_parameters_false", "ddp", ["start": "fork", "findUnusedParameters": false],
      "ddp_notebook where every parameter gets a gradient at every step", .available),
    .init(
      "ddp_notebook_find_unused_parameters_true", "ddp", ["start": "fork", "findUnusedParameters": true],
      "ddp_notebook where some parameters may get no gradient", .available),
  ]

  private static let replicas: [StrategyAlias] = [
    .init(
      "dp", nil, [:], "one process, a replica of the model for each device, the batch split among them", .available),
    .init("ddp2", nil, [:], "dp inside each node, ddp across nodes", .available),
  ]

  private static let sharded: [StrategyAlias] = [
    .init(
      "ddp_sharded", nil, [:], "ddp with optimizer state and gradients partitioned over the ranks", .available),
    .init(
      "ddp_sharded_find_unused_parameters_false", "ddp_sharded", ["findUnusedParameters": false],
      "ddp_sharded where every parameter gets a gradient at every step", .available),
    .init(
      "ddp_sharded_spawn", "ddp_sharded", ["start": "spawn"], "ddp_sharded whose main process is not a rank", .available
    ),
    .init(
      "ddp_sharded_spawn_find_unused_parameters_false", "ddp_sharded",
      ["start": "spawn", "findUnusedParameters": false],
      "ddp_sharded_spawn where every parameter gets a gradient at every step", .available),
    .init("fsdp", nil, [:], "parameters, gradients and optimizer state partitioned over the ranks", .available),
    .init("ddp_fully_sharded", "fsdp", [:], "the name of fsdp until Lightning 1.9", .available),
    .init("fsdp_native", "fsdp", [:], "the name of fsdp in Lightning 1.9", .available),
    .init(
      "fsdp_native_full_shard_offload", "fsdp", ["offloadToCPU": true],
      "the name of fsdp_cpu_offload in Lightning 1.9", .available),
    .init(
      "fsdp_cpu_offload", "fsdp", ["offloadToCPU": true], "fsdp with the shards kept in the memory of the host",
      .available),
  ]

  private static let deepSpeed: [StrategyAlias] = [
    .init("deepspeed", nil, ["stage": 2], "ZeRO stage 2", .available),
    .init("deepspeed_stage_1", "deepspeed", ["stage": 1], "ZeRO: optimizer state partitioned", .available),
    .init(
      "deepspeed_stage_1_offload", "deepspeed", ["stage": 1, "offloadOptimizer": true],
      "stage 1 with the optimizer on the host", .available),
    .init("deepspeed_stage_2", "deepspeed", ["stage": 2], "ZeRO: gradients partitioned as well", .available),
    .init(
      "deepspeed_stage_2_offload", "deepspeed", ["stage": 2, "offloadOptimizer": true],
      "stage 2 with the optimizer on the host", .available),
    .init("deepspeed_stage_3", "deepspeed", ["stage": 3], "ZeRO: parameters partitioned as well", .available),
    .init(
      "deepspeed_stage_3_offload", "deepspeed", ["stage": 3, "offloadOptimizer": true, "offloadParameters": true],
      "stage 3 with optimizer and parameters on the host", .available),
    .init(
      "deepspeed_stage_3_offload_nvme", "deepspeed",
      [
        "stage": 3, "offloadOptimizer": true, "offloadParameters": true, "remoteDevice": "nvme",
        "offloadParametersDevice": "nvme", "offloadOptimizerDevice": "nvme",
      ],
      "stage 3 with optimizer and parameters on disk", .available),
  ]

  private static let others: [StrategyAlias] = [
    .init("horovod", nil, [:], "gradients by name, fused, compressed and reduced during backward; Adasum", .available),
    .init("bagua", nil, [:], "compressed, decentralized and asynchronous averaging", .available),
    .init("hivemind", nil, [:], "collaborative training over unreliable peers"),
    .init("collaborative", "hivemind", [:], "another name of hivemind"),
    .init("colossalai", nil, [:], "chunk-based parameter and optimizer placement"),
    .init("model_parallel", nil, [:], "tensor and fully sharded parallelism on a device mesh"),
  ]

  private static let accelerators: [StrategyAlias] = [
    .init("ipu_strategy", nil, [:], "data parallelism over IPUs"),
    .init("hpu_parallel", nil, [:], "ddp over Gaudi processors"),
    .init("hpu_single", nil, [:], "one Gaudi processor"),
    .init("single_xla", nil, [:], "one TPU core"),
    .init("single_tpu", "single_xla", [:], "the name of single_xla until Lightning 1.9"),
    .init("xla", nil, [:], "a process for each TPU core"),
    .init("xla_debug", "xla", ["debug": true], "xla with debugging output"),
    .init("tpu_spawn_debug", "xla", ["debug": true], "the name of xla_debug until Lightning 1.9"),
    .init("xla_fsdp", nil, [:], "fsdp over TPU cores"),
  ]

  private static let rejected: [StrategyAlias] = [
    .init(
      "ddp_cpu", "ddp", [:], "ddp on processors",
      .rejected(instead: #"write strategy: "ddp", accelerator: "cpu" and the number of processes as devices"#)),
    .init(
      "tpu_spawn", "xla", [:], "a process for each TPU core",
      .rejected(instead: #"write strategy: "ddp_spawn" and accelerator: "tpu""#)),
  ]
}

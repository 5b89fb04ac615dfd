internal import OrderedCollections

extension DeepSpeedSection {
  /// The block `fp16`, and whether it is enabled.
  func lossScaling() -> (LossScaling, isEnabled: Bool) {
    let isEnabled = flag("enabled", default: false, auto: true)
    ignore("auto_cast", because: "inputs are converted by autocast")
    ignore("fp16_master_weights_and_grads", because: "master weights are float32")
    var scaling = LossScaling()
    scaling.fixed = number("loss_scale", default: 0)
    scaling.initialPower = integer("initial_scale_power", default: 16)
    scaling.window = integer("loss_scale_window", default: 1000, atLeast: 1)
    scaling.hysteresis = integer("hysteresis", default: 2, atLeast: 1)
    scaling.restoresHysteresis = flag("consecutive_hysteresis", default: false)
    scaling.minimum = number("min_loss_scale", default: 1, PositiveNumbers(), "a number above 0")
    if scaling.initialPower > 126 {
      problem("initial_scale_power", "2^\(scaling.initialPower) is no float32", "give at most 126")
    }
    return (scaling, isEnabled)
  }

  func bfloat16() -> Bool {
    if has("bfloat16"), has("bf16") {
      problem("bfloat16", "'bfloat16' and 'bf16' are both given", "remove one of them")
    }
    let read = { (section: DeepSpeedSection) in
      section.ignore(
        "immediate_grad_update", "check_grad_overflow", "bf16_master_weights_and_grads", "bf16_optimizer_states",
        because: "gradients are float32")
      return section.flag("enabled", default: false, auto: true)
    }
    return section("bfloat16", read) ?? section(orEmpty: "bf16", read)
  }

  func communicationType() -> DeepSpeedConfig.Communication? {
    if case .string(let name)? = value(of: "communication_data_type"),
      ["bfp16", "bfloat16"].contains(name.lowercased())
    {
      know("communication_data_type")
      set("communication_data_type", "bf16")
      return .bfloat16
    }
    return choice("communication_data_type", DeepSpeedConfig.Communication.self, default: nil)
  }

  func asynchronousIO() -> DeepSpeedConfig.AsynchronousIO {
    var options = DeepSpeedConfig.AsynchronousIO()
    options.blockSize = integer("block_size", default: options.blockSize, atLeast: 4096)
    options.queueDepth = integer("queue_depth", default: options.queueDepth, atLeast: 1)
    options.threadCount = integer("thread_count", default: options.threadCount, atLeast: 1)
    ignore("intra_op_parallelism", because: "thread_count says it")
    options.singleSubmit = flag("single_submit", default: options.singleSubmit)
    options.overlapEvents = flag("overlap_events", default: options.overlapEvents)
    note("single_submit", "overlap_events", because: "requests go as soon as the queue has room for them")
    ignore("use_gds", because: "files are read into the memory of the host")
    if options.blockSize % 4096 != 0 {
      problem("block_size", "'\(name("block_size"))' is \(options.blockSize)", "give a multiple of 4096 bytes")
    }
    return options
  }

  func activationCheckpoints() -> DeepSpeedConfig.ActivationCheckpoints {
    ignore(
      "partition_activations", "contiguous_memory_optimization", "number_checkpoints",
      "synchronize_checkpoint_boundary",
      "profile", because: "ActivationCheckpointing says which layers are computed again")
    return .init(onCPU: flag("cpu_checkpointing", default: false))
  }

  /// Members of the top level that change nothing here, or that must be off.
  func knowOthers() {
    ignore(
      "steps_per_print", "wall_clock_breakdown", "memory_breakdown", "dump_state", "comms_logger", "log_level",
      because: "the trainer shows progress")
    ignore("tensorboard", "wandb", "csv_monitor", "comet", because: "give the trainer loggers")
    ignore(
      "flops_profiler", "autotuning", "timers", "compile", "vocabulary_size", because: "there is no such tool here")
    ignore("zero_allow_untested_optimizer", "zero_force_ds_cpu_optimizer", because: "every optimizer may be used")
    ignore(
      "prescale_gradients", "gradient_predivide_factor", "fp32_allreduce", "disable_allgather",
      because: "gradients are averaged in one go")
    ignore(
      "checkpoint", "nebula", "datastates_ckpt", "load_universal_checkpoint", "use_node_local_storage",
      because: "every checkpoint loads on any number of ranks")
    ignore("data_types", because: "gradients are accumulated in float32")
    ignore(
      "dataloader_drop_last", "use_data_before_expert_parallelism", "seq_parallel_communication_data_type",
      "graph_harvesting", "hybrid_engine", "managed_gradient_accumulation", "disable_python_gc",
      because: "it concerns other parts of DeepSpeed")
    know("gradient_allreduce_op")
    if has("gradient_allreduce_op"), value(of: "gradient_allreduce_op") != .string("mean") {
      problem(
        "gradient_allreduce_op", "'gradient_allreduce_op' is \(value(of: "gradient_allreduce_op")?.shown ?? "")",
        "write \"mean\", or remove it: gradients are averaged over the ranks")
    }
    refuse(
      "sparse_gradients", "asks for sparse gradients, which no layer of this library has", "remove it, or write false")
    refuse("amp", "asks for NVIDIA's apex", "give the trainer precision: \"16-mixed\", or enable fp16")
    refuse("torch_autocast", "asks for autocast", "give the trainer precision: \"bf16-mixed\"")
    refuse("elasticity", "asks for elastic training", "remove it: the number of ranks of a run does not change")
    for key in [
      "sparse_attention", "compression_training", "data_efficiency", "curriculum_learning", "progressive_layer_drop",
      "eigenvalue", "quantize_training", "weight_quantization", "pipeline", "tensor_parallel", "sequence_parallel_size",
      "zenflow", "expert_parallel",
    ] {
      refuse(key, "changes what is trained, and is not part of this library", "remove it")
    }
  }

  /// What does not go together.
  func checkCombinations(_ zero: ZeroOptimization, _ optimizer: DeepSpeedOptimizer?) {
    if let optimizer, optimizer.kind.isCompressed, zero.stage > 0 {
      problem(
        "optimizer.type",
        "\(optimizer.kind.rawValue) compresses whole momenta, and ZeRO stage \(zero.stage) partitions them",
        "write \"zero_optimization\": {\"stage\": 0}, or take Adam")
    }
    if zero.offloadParameters != nil, zero.stage != 3 {
      problem(
        "zero_optimization.offload_param",
        "'zero_optimization.offload_param' needs stage 3, and the stage is \(zero.stage)",
        "write \"stage\": 3, or remove it")
    }
    if zero.offloadOptimizer != nil, zero.stage == 0 {
      problem(
        "zero_optimization.offload_optimizer", "'zero_optimization.offload_optimizer' needs a stage of 1 to 3",
        "write the stage, or remove it")
    }
  }
}

/// The numbers above 0.
struct PositiveNumbers: RangeExpression {
  func contains(_ element: Double) -> Bool { element > 0 && element.isFinite }
  func relative<C: Collection>(to collection: C) -> Range<Double> where C.Index == Double { 0..<1 }
}

import Foundation
import Testing
import Torch
import TorchNN
import TorchOptim

@testable import Stratagem

@Suite struct DeepSpeedConfigTests {
  private func problems(_ text: String) -> [String] {
    do {
      _ = try DeepSpeedConfig(try JSONParser.parse(text))
      return []
    } catch let error as ConfigurationError {
      return error.problems.map { "\($0)" }
    } catch {
      return ["\(error)"]
    }
  }

  @Test func anEmptyConfigurationHasDeepSpeedsDefaults() throws {
    let config = try DeepSpeedConfig([:])
    #expect(config.zero.stage == 0)
    #expect(config.zero.reduceBucketSize == 500_000_000)
    #expect(config.zero.subGroupSize == 1_000_000_000)
    #expect(config.zero.parameterPersistenceThreshold == 100_000)
    #expect(!config.zero.overlapsCommunication)
    #expect(!config.float16 && !config.bfloat16)
    #expect(config.optimizer == nil && config.scheduler == nil)
    #expect(config.gradientClipping == nil && config.trainBatchSize == nil)
    #expect(config.asynchronousIO == .init())
    #expect(config.ignored.isEmpty)
    #expect(try DeepSpeedConfig(["zero_optimization": ["stage": 3]]).zero.overlapsCommunication)
  }

  @Test func everythingIsRead() throws {
    let config = try DeepSpeedConfig([
      "train_batch_size": 32, "train_micro_batch_size_per_gpu": "auto", "gradient_clipping": 0.5,
      "communication_data_type": "bfp16",
      "fp16": [
        "enabled": true, "loss_scale": 0, "initial_scale_power": 8, "loss_scale_window": 50, "hysteresis": 3,
        "consecutive_hysteresis": true, "min_loss_scale": 2,
      ],
      "zero_optimization": [
        "stage": 3, "reduce_bucket_size": 5e7, "overlap_comm": false, "sub_group_size": 1e12,
        "stage3_prefetch_bucket_size": "auto", "stage3_param_persistence_threshold": 10,
        "offload_optimizer": ["device": "cpu", "pin_memory": true],
        "offload_param": ["device": "nvme", "nvme_path": "/fast", "buffer_count": 3, "max_in_cpu": 0],
        "mics_shard_size": 2,
      ],
      "optimizer": [
        "type": "adamw", "params": ["lr": 0.01, "betas": [0.8, 0.95], "eps": 1e-6, "weight_decay": "auto"],
      ],
      "scheduler": ["type": "WarmupLR", "params": ["warmup_max_lr": "auto", "warmup_num_steps": 4]],
      "aio": ["block_size": 4096, "queue_depth": 2, "thread_count": 2, "single_submit": true, "overlap_events": false],
      "activation_checkpointing": ["cpu_checkpointing": true],
    ])
    #expect(config.trainBatchSize == 32 && config.microBatchSize == nil)
    #expect(config.gradientClipping == 0.5)
    #expect(config.communicationType == .bfloat16)
    let scaling = config.lossScaling
    #expect(config.float16 && scaling.initialPower == 8 && scaling.hysteresis == 3 && scaling.minimum == 2)
    #expect(scaling.restoresHysteresis && scaling.window == 50)
    #expect(config.zero.stage == 3 && config.zero.reduceBucketSize == 50_000_000 && config.zero.shardSize == 2)
    #expect(config.zero.subGroupSize == 1_000_000_000_000 && config.zero.parameterPersistenceThreshold == 10)
    #expect(config.zero.prefetchBucketSize == 50_000_000 && !config.zero.overlapsCommunication)
    #expect(config.zero.offloadOptimizer?.device == .cpu && config.zero.offloadOptimizer?.pinsMemory == true)
    #expect(config.zero.offloadParameters?.device == .nvme && config.zero.offloadParameters?.folder == "/fast")
    #expect(config.zero.offloadParameters?.bufferCount == 3 && config.zero.offloadParameters?.maximumInMemory == 0)
    #expect(config.optimizer?.kind == .adamW && config.optimizer?.betas.1 == 0.95)
    #expect(config.optimizer?.weightDecay == 0 && config.optimizer?.automatic == ["weight_decay"])
    #expect(config.asynchronousIO.blockSize == 4096 && config.asynchronousIO.singleSubmit)
    #expect(config.activationCheckpointing.onCPU)
    // What was printed is a configuration with the same meaning.
    let printed = try DeepSpeedConfig(try JSONParser.parse("\(config)"))
    #expect(printed.json == config.json)
    #expect(printed.json["zero_optimization"]?["stage3_max_live_parameters"] == .integer(1_000_000_000))
  }

  static let ignored: [(json: String, name: String)] = [
    (#"{"steps_per_print": 5}"#, "steps_per_print"), (#"{"wall_clock_breakdown": true}"#, "wall_clock_breakdown"),
    (#"{"prescale_gradients": true}"#, "prescale_gradients"), (#"{"tensorboard": {"enabled": true}}"#, "tensorboard"),
    (#"{"zero_optimization": {"round_robin_gradients": true}}"#, "zero_optimization.round_robin_gradients"),
    (
      #"{"zero_optimization": {"stage": 1, "offload_optimizer": {"device": "cpu", "fast_init": true}}}"#,
      "zero_optimization.offload_optimizer.fast_init"
    ),
    (
      #"{"activation_checkpointing": {"partition_activations": true}}"#,
      "activation_checkpointing.partition_activations"
    ), (#"{"optimizer": {"type": "Adam", "params": {"torch_adam": true}}}"#, "optimizer.params.torch_adam"),
    (#"{"zero_allow_untested_optimizer": true}"#, "zero_allow_untested_optimizer"),
    (#"{"aio": {"single_submit": true}}"#, "aio.single_submit"),
    (#"{"zero_optimization": {"allgather_bucket_size": 5e8}}"#, "zero_optimization.allgather_bucket_size"),
    (#"{"zero_optimization": {"stage3_max_live_parameters": 1e9}}"#, "stage3_max_live_parameters"),
  ]

  @Test(arguments: ignored.indices) func whatHasNoEffectIsNamed(_ index: Int) throws {
    let (json, name) = Self.ignored[index]
    #expect(problems(json) == [])
    let config = try DeepSpeedConfig(try JSONParser.parse(json))
    #expect(config.ignored.count == 1)
    #expect(config.ignoredNote?.contains(name) == true)
  }

  static let bad: [(json: String, messages: [String])] = [
    ("{", ["line 1, column 2: a name in quotes should be here"]),
    (#"{"a": 1,}"#, ["line 1, column 9: there is a comma too many"]),
    ("{\"a\": 1\n \"b\": 2}", ["line 2, column 2: a comma or a closing brace should be here"]),
    (#"{"a": 1, "a": 2}"#, ["'a' stands twice in one object"]), (#"{"a": 01}"#, ["'01' is not a number"]),
    ("{\n  // ZeRO\n}", ["line 2, column 3: JSON has no comments"]),
    ("{\"a\": 1 # one\n}", ["line 1, column 9: JSON has no comments"]),
    (#"{"a": True}"#, ["column 7: 'True' is Python; write true"]), (#"{"a": NaN}"#, ["'NaN' is no value of JSON"]),
    (#"{"zero_optimization": {"aio": {}}}"#, ["'zero_optimization.aio'", "'aio' belongs at the top"]),
    (#"{"overlap_comm": true, "stage": 3}"#, ["'overlap_comm'", "'stage'", "it belongs in 'zero_optimization'"]),
    (#"{"optimizer": {"type": "Adam", "lr": 1}}"#, ["'optimizer.lr'", "it belongs in 'optimizer.params'"]),
    ("[1]", ["the configuration should be an object, found a list of 1"]),
    (#"{"gradient_cliping": 1}"#, ["there is no 'gradient_cliping'", "did you mean 'gradient_clipping'?"]),
    (#"{"zero_optimization": {"stag": 1}}"#, ["'zero_optimization.stag'", "did you mean 'stage'?"]),
    (#"{"zero_optimization": {"stage": 4}}"#, ["'zero_optimization.stage' is 4", "give 0, 1, 2 or 3"]),
    (#"{"zero_optimization": {"stage": "2"}}"#, ["'zero_optimization.stage' is \"2\"", "whole number"]),
    (#"{"zero_optimization": true}"#, ["'zero_optimization' should be an object, found true"]),
    (#"{"zero_optimization": {"reduce_bucket_size": 0.5}}"#, ["reduce_bucket_size' is 0.5", "at least 1"]),
    (#"{"gradient_clipping": -1}"#, ["'gradient_clipping' is -1", "at least 0, or \"auto\""]),
    (
      #"{"gradient_accumulation_steps": 4}"#,
      ["'gradient_accumulation_steps' is an argument of the trainer", "accumulate: 4"]
    ), (#"{"fp16": {"enabled": true}, "bf16": {"enabled": true}}"#, ["both enabled"]),
    (#"{"fp16": {"enabled": "yes"}}"#, ["'fp16.enabled' is \"yes\"", "true or false"]),
    (#"{"fp16": {"hysteresis": 0}}"#, ["'fp16.hysteresis' is 0"]),
    (#"{"fp16": {"min_loss_scale": 0}}"#, ["'fp16.min_loss_scale' is 0", "above 0"]),
    (#"{"optimizer": {"type": "Adan"}}"#, ["'optimizer.type' is 'Adan'", "did you mean 'Adam'?"]),
    (#"{"optimizer": {"params": {"lr": 1}}}"#, ["the optimizer has no 'type'", "OneBitLamb"]),
    (#"{"optimizer": {"type": "Adam", "params": {"learning_rate": 1}}}"#, ["'optimizer.params.learning_rate'"]),
    (#"{"optimizer": {"type": "Adam", "params": {"max_grad_norm": 1}}}"#, ["gradient_clipping"]),
    (#"{"optimizer": {"type": "Adam", "params": {"betas": [0.9]}}}"#, ["two numbers in 0..<1"]),
    (#"{"optimizer": {"type": "Adam", "params": {"bias_correction": false}}}"#, ["without bias correction"]),
    (#"{"optimizer": {"type": "Lamb", "params": {"min_coeff": 2, "max_coeff": 1}}}"#, ["above 'max_coeff' 1"]),
    (
      #"{"optimizer": {"type": "OneBitAdam"}, "zero_optimization": {"stage": 1}}"#,
      ["OneBitAdam compresses whole momenta", "\"stage\": 0"]
    ), (#"{"scheduler": {"type": "Warmup"}}"#, ["did you mean 'WarmupLR'?"]),
    (#"{"scheduler": {"type": "WarmupDecayLR"}}"#, ["'scheduler.params.total_num_steps' is missing"]),
    (#"{"scheduler": {"type": "WarmupLR", "params": {"warmup_type": "cubic"}}}"#, ["is 'cubic'"]),
    (#"{"scheduler": {"type": "OneCycle"}}"#, ["cycle_min_lr' is missing", "cycle_max_lr' is missing"]),
    (
      #"{"zero_optimization": {"stage": 2, "offload_param": {"device": "cpu"}}}"#,
      ["'zero_optimization.offload_param' needs stage 3, and the stage is 2"]
    ),
    (#"{"zero_optimization": {"offload_optimizer": {"device": "cpu"}}}"#, ["needs a stage of 1 to 3"]),
    (
      #"{"zero_optimization": {"stage": 3, "offload_optimizer": {"device": "nvme"}}}"#, ["there is no 'nvme_path'"]
    ), (#"{"zero_optimization": {"stage": 3, "offload_param": {"device": "disk"}}}"#, ["is 'disk'", "nvme"]),
    (#"{"zero_optimization": {"stage": 3, "zero_quantized_weights": true}}"#, ["rounds what crosses the ranks"]),
    (#"{"aio": {"block_size": 5000}}"#, ["'aio.block_size' is 5000", "multiple of 4096"]),
    (#"{"amp": {"enabled": true}}"#, ["apex"]), (#"{"sparse_gradients": true}"#, ["sparse gradients"]),
    (#"{"gradient_allreduce_op": "sum"}"#, ["'gradient_allreduce_op' is \"sum\"", "averaged"]),
    (#"{"expert_parallel": {"enabled": true}}"#, ["not part of this library"]),
    (#"{"elasticity": {"enabled": true}}"#, ["elastic"]), (#"{"compression_training": {"x": 1}}"#, ["remove it"]),
    (#"{"gradient_clipping": -1, "train_batch_size": 0, "foo": 1}"#, ["-1", "'train_batch_size' is 0", "'foo'"]),
  ]

  @Test(arguments: bad.indices) func badInput(_ index: Int) {
    let (json, messages) = Self.bad[index]
    let text = problems(json).joined(separator: "\n")
    for message in messages { #expect(text.contains(message), "\(json): \(text)") }
    if text.isEmpty { Issue.record("\(json) is accepted") }
  }

  @Test(arguments: [
    #"{"zero_optimization": {"stage": 1, "offload_optimizer": {"device": "none"}}}"#, #"{"amp": {"enabled": false}}"#,
    #"{"sparse_gradients": false}"#, #"{"bf16": {"enabled": true}, "fp16": {"enabled": "auto"}}"#,
    #"{"zero_optimization": {"stage": 2, "cpu_offload": true}}"#, #"{"gradient_accumulation_steps": "auto"}"#,
    #"{"optimizer": {"type": "Lamb", "params": {"bias_correction": false}}}"#,
    #"{"gradient_allreduce_op": "mean", "managed_gradient_accumulation": true, "disable_python_gc": false}"#,
    #"{"zero_optimization": {"stage": 1, "compute_grad_norm": true, "leaf_module": {}, "parameter_alignment": true}}"#,
    #"{"zero_optimization": {"stage3_model_persistence_threshold": 9223372036854775807}}"#,
    #"{"zero_optimization": {"stage": 3, "param_persistence_threshold": 1e30}}"#,
  ]) func accepted(_ json: String) { #expect(problems(json) == []) }

  @Test func aFileIsNamedInItsProblems() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "ds-\(UUID().uuidString).json").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(#"{"gradient_cliping": 1}"#.utf8).write(to: URL(filePath: path))
    let error = try #require(throws: ConfigurationError.self) { _ = try DeepSpeedConfig(file: path) }
    #expect("\(error)".hasPrefix("\(path): there is no 'gradient_cliping'"))
    try Data(#"{"gradient_clipping": 1"#.utf8).write(to: URL(filePath: path))
    let broken = try #require(throws: ConfigurationError.self) { _ = try DeepSpeedConfig(file: path) }
    #expect("\(broken)".hasPrefix("\(path) is no JSON: line 1"))
    try Data(#"{"gradient_clipping": 1}"#.utf8).write(to: URL(filePath: path))
    #expect(try DeepSpeedConfig(file: path).gradientClipping == 1)
    let missing = try #require(throws: ConfigurationError.self) { _ = try DeepSpeedConfig(file: path + ".not") }
    #expect("\(missing)".contains("cannot be read"))
  }

  @Test func aFolderMeansADisk() throws {
    let disk = try DeepSpeedStrategy(stage: 3, offloadOptimizer: true, nvmePath: "/scratch").config.zero
    #expect(disk.offloadOptimizer?.device == .nvme && disk.offloadOptimizer?.folder == "/scratch")
    #expect(disk.offloadParameters == nil)
    #expect(try DeepSpeedStrategy(stage: 3, offloadOptimizer: true).config.zero.offloadOptimizer?.device == .cpu)
  }

  @Test func optimizersAndSchedulesAreMade() throws {
    let parameters = [Parameter(wrappedValue: Tensor.zeros([3]))]
    func make(_ type: String) throws -> Optimizer {
      let config = try DeepSpeedConfig([
        "optimizer": ["type": .string(type), "params": ["lr": 0.5, "weight_decay": 0.1]]
      ])
      return try #require(config.optimizer).make(parameters, names: ["p"], over: nil)
    }
    #expect(try make("Adam") is AdamW)
    #expect(try make("AdamW") is AdamW)
    #expect(try make("lamb") is Lamb)
    #expect(try make("SGD") is SGD)
    #expect(try make("OneBitAdam") is OneBitAdam)
    #expect(try make("ZeroOneAdam") is ZeroOneAdam)
    #expect(try make("OneBitLamb") is OneBitLamb)
    let plain = try DeepSpeedConfig(["optimizer": ["type": "Adam", "params": ["adam_w_mode": false]]])
    let adam = try #require(plain.optimizer).make(parameters, names: [], over: nil)
    #expect(adam is Adam && !(adam is AdamW))
    let undecayed = try DeepSpeedConfig(["optimizer": ["type": "AdamW", "params": ["lr": 0.5]]])
    #expect(undecayed.optimizer?.weightDecay == 0, "as DeepSpeed's FusedAdam and DeepSpeedCPUAdam")
    let group = try make("Lamb").parameterGroups[0]
    #expect(group.learningRate == 0.5 && group.weightDecay == 0.1 && group.names == ["p"])

    let automatic = try #require(
      try DeepSpeedConfig([
        "optimizer": ["type": "AdamW", "params": ["lr": "auto", "betas": "auto", "eps": 1e-6, "weight_decay": "auto"]]
      ]).optimizer)
    let own = AdamW(parameters, learningRate: 0.3, betas: (0.5, 0.6), epsilon: 1e-4, weightDecay: 0.2)
    let filled = automatic.filled(from: own.parameterGroups[0])
    #expect(filled.learningRate == 0.3 && filled.betas == (0.5, 0.6) && filled.weightDecay == 0.2)
    #expect(filled.epsilon == 1e-6)

    func schedule(_ json: JSONValue, totalSteps: Int? = nil) throws -> LearningRateSchedule {
      let scheduler = try #require(try DeepSpeedConfig(["scheduler": json]).scheduler)
      #expect(scheduler.needsTotalSteps == (totalSteps != nil))
      return scheduler.make(try make("Adam"), totalSteps: totalSteps)
    }
    #expect(try schedule(["type": "WarmupLR"]) is WarmupLR)
    let decay = try schedule(
      ["type": "WarmupDecayLR", "params": ["total_num_steps": "auto", "warmup_max_lr": "auto"]], totalSteps: 7)
    #expect((decay as? WarmupDecayLR)?.totalSteps == 7 && (decay as? WarmupDecayLR)?.maxima == [0.5])
    #expect(try schedule(["type": "WarmupCosineLR", "params": ["total_num_steps": 5]]) is WarmupCosineLR)
    #expect(try schedule(["type": "LRRangeTest"]) is LRRangeTest)
    #expect(
      try schedule(["type": "OneCycle", "params": ["cycle_min_lr": 0.1, "cycle_max_lr": 0.2]]) is OneCycle)
  }
}

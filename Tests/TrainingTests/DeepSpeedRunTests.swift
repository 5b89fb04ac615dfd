import Foundation
import Testing

/// Whole runs of `digits` under `deepspeed`, against one device.
@Suite("DeepSpeed", .serialized)
struct DeepSpeedRunTests {
  /// A run of 100 optimizer steps at most, 48 samples in each batch over all ranks.
  private func train(
    _ strategy: String, _ ranks: Int, _ flags: [String], config: String? = nil, steps: Int = 100,
    folder: TemporaryFolder? = nil
  ) throws -> (losses: [Double], folder: TemporaryFolder) {
    let folder = try folder ?? TemporaryFolder()
    var environment: [String: String] = [:]
    if let config {
      try Data(config.utf8).write(to: URL(filePath: "\(folder.path)/ds_config.json"))
      environment["PL_DEEPSPEED_CONFIG_PATH"] = "\(folder.path)/ds_config.json"
    }
    try ProgramRun(
      "digits",
      [
        "fit", "--weights", Repository.reference("w1.safetensors"), "--no-shuffle", "--max-steps", "\(steps)",
        "--batch-size", "\(48 / ranks)", "--devices", "\(ranks)", "--strategy", strategy, "--output", folder.path,
        "--progress", "silent", "--json",
      ] + flags, environment: environment
    ).succeeded()
    return (try MetricsFile("\(folder.path)/metrics.csv").values("train/loss"), folder)
  }

  private func expectSame(
    _ found: [Double], _ expected: [Double], within tolerance: Double, _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try #require(found.count == expected.count && !found.isEmpty, "\(what)", sourceLocation: sourceLocation)
    for (index, (found, expected)) in zip(found, expected).enumerated() {
      expectClose(
        found, expected, within: index < 31 ? tolerance / 10 : tolerance, "\(what), batch \(index)",
        sourceLocation: sourceLocation)
    }
  }

  /// Everything is partitioned, however small.
  private static func config(_ stage: Int, _ members: String = "") -> String {
    #"{"zero_optimization": {"stage": \#(stage), "stage3_param_persistence_threshold": 0, "reduce_bucket_size": 4000}\#(members)}"#
  }

  @Test("100 steps with accumulation, clipping and a schedule equal those of one device", arguments: 1...3)
  func parity(stage: Int) throws {
    let flags = [
      "--optimizer", "adamw", "--lr", "0.002", "--accumulate", "2", "--clip-norm", "0.5", "--schedule", "cosine",
    ]
    let alone = try train("single_device", 1, flags)
    for ranks in 1...3 {
      let run = try train("deepspeed", ranks, flags, config: Self.config(stage))
      try expectSame(run.losses, alone.losses, within: 1e-3, "stage \(stage) on \(ranks) ranks")
      let difference = try largestDifference(
        CheckpointFile("\(alone.folder.path)/last.ckpt"), CheckpointFile("\(run.folder.path)/last.ckpt"))
      #expect(difference < 1e-3)
    }
  }

  @Test("bfloat16, momentum and clipping by value", arguments: 0...3)
  func bfloat16(stage: Int) throws {
    let alone = try train("single_device", 1, ["--precision", "bf16-mixed", "--clip-value", "0.01"], steps: 40)
    let run = try train(
      "deepspeed", 2, ["--clip-value", "0.01"], config: Self.config(stage, #", "bf16": {"enabled": true}"#), steps: 40)
    try expectSame(run.losses, alone.losses, within: 0.05, "stage \(stage)")
  }

  @Test("float16 with a loss scale that finds itself", arguments: [1, 3])
  func float16(stage: Int) throws {
    let alone = try train("single_device", 1, [], steps: 30)
    // The first scale overflows: steps are left out until it fits.
    let scale = #", "fp16": {"enabled": true, "initial_scale_power": 8, "loss_scale_window": 1000}"#
    let run = try train("deepspeed", 2, [], config: Self.config(stage, scale), steps: 30)
    try expectSame(run.losses, alone.losses, within: 0.05, "stage \(stage)")
  }

  @Test(
    "Every alias trains, evaluates and writes a checkpoint that one device reads",
    arguments: [
      "deepspeed", "deepspeed_stage_1", "deepspeed_stage_1_offload", "deepspeed_stage_2", "deepspeed_stage_2_offload",
      "deepspeed_stage_3", "deepspeed_stage_3_offload",
    ])
  func aliases(name: String) throws {
    let flags = ["--optimizer", "adamw", "--lr", "0.002"]
    let alone = try train("single_device", 1, flags, steps: 4)
    let run = try train(name, 2, flags, steps: 4)
    try expectSame(run.losses, alone.losses, within: 1e-4, name)
    let weights = "\(run.folder.path)/last.ckpt"
    let results = try [("single_device", 1), (name, 2)].map { strategy, ranks in
      try ProgramRun(
        "digits",
        [
          "validate", "--weights", weights, "--strategy", strategy, "--devices", "\(ranks)", "--progress", "silent",
          "--json",
        ]
      ).succeeded().json()
    }
    expectClose(
      try #require(results[1]["val/loss"]?.number), try #require(results[0]["val/loss"]?.number), within: 1e-6)
  }

  @Test("The optimizer, the schedule and clipping of the configuration")
  func optimizerOfTheConfiguration() throws {
    let alone = try train(
      "single_device", 1, ["--optimizer", "adamw", "--lr", "0.002", "--clip-norm", "0.5"], steps: 30)
    let members =
      #", "gradient_clipping": 0.5, "optimizer": {"type": "Adam", "params": {"lr": 0.002, "weight_decay": 0.01}}"#
    let run = try train("deepspeed", 2, [], config: Self.config(2, members), steps: 30)
    try expectSame(run.losses, alone.losses, within: 1e-4, "AdamW")
  }

  @Test("LAMB does not depend on how parameters are partitioned", arguments: [1, 2, 3])
  func lamb(stage: Int) throws {
    let members =
      #", "optimizer": {"type": "Lamb", "params": {"lr": 0.02, "weight_decay": 0.01}}, "#
      + #""scheduler": {"type": "WarmupDecayLR", "params": {"total_num_steps": "auto", "warmup_num_steps": 5}}"#
    let alone = try train("deepspeed", 1, [], config: Self.config(0, members), steps: 20)
    let run = try train("deepspeed", 3, [], config: Self.config(stage, members), steps: 20)
    try expectSame(run.losses, alone.losses, within: 1e-4, "stage \(stage)")
  }

  @Test(
    "Compressed optimizers train, and go on exactly from a checkpoint",
    arguments: [
      #""OneBitAdam", "params": {"lr": 0.005, "eps": 0.01, "freeze_step": 8}"#,
      #""ZeroOneAdam", "params": {"lr": 0.005, "eps": 0.01, "var_freeze_step": 12, "var_update_scaler": 4, "local_step_scaler": 100}"#,
      #""OneBitLamb", "params": {"lr": 0.01, "eps": 0.01, "freeze_step": 8, "coeff_beta": 0.5}"#,
    ])
  func compressed(optimizer: String) throws {
    let config = Self.config(0, #", "optimizer": {"type": \#(optimizer)}"#)
    let whole = try train("deepspeed", 2, [], config: config, steps: 24)
    #expect(whole.losses.count == 24)
    #expect(whole.losses[20...].reduce(0, +) < 0.95 * whole.losses[..<4].reduce(0, +), "\(whole.losses)")
    let first = try train("deepspeed", 2, [], config: config, steps: 16)
    let second = try train(
      "deepspeed", 2, ["--resume", "\(first.folder.path)/last.ckpt"], config: config, steps: 24)
    let difference = try largestDifference(
      CheckpointFile("\(whole.folder.path)/last.ckpt"), CheckpointFile("\(second.folder.path)/last.ckpt"))
    #expect(difference == 0)
  }

  @Test(
    "Bad configurations, before a process is started",
    arguments: [
      (#"{"zero_optimization": {"stagee": 2}}"#, [], "did you mean 'stage'?"),
      (#"{"zero_optimization": }"#, [], "is no JSON: line 1, column 23"),
      (#"{"gradient_clipping": 1}"#, ["--clip-norm", "2"], "clipNorm is 2.0; give one of them"),
      (
        #"{"train_batch_size": 50, "train_micro_batch_size_per_gpu": 24}"#, [],
        "24 samples × 1 accumulated × 2 ranks are 48"
      ),
      (#"{"bf16": {"enabled": true}}"#, ["--precision", "64"], "precision is set both in strategy 'deepspeed'"),
      (
        #"{"optimizer": {"type": "OneBitLamb"}, "zero_optimization": {"stage": 2}}"#, [],
        "OneBitLamb compresses whole momenta"
      ),
    ])
  func badConfigurations(config: String, flags: [String], message: String) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/ds.json"
    try Data(config.utf8).write(to: URL(filePath: path))
    let run = try ProgramRun(
      "digits",
      ["fit", "--strategy", "deepspeed", "--devices", "2", "--batch-size", "24", "--output", folder.path] + flags,
      environment: ["PL_DEEPSPEED_CONFIG_PATH": path])
    #expect(run.status != 0)
    #expect(run.failure.contains(message), "\(run.failure)")
  }

  @Test("Batches of the loader that are not those of the configuration")
  func batchSizes() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/ds.json"
    try Data(#"{"train_micro_batch_size_per_gpu": 16}"#.utf8).write(to: URL(filePath: path))
    let run = try ProgramRun(
      "digits", ["fit", "--strategy", "deepspeed", "--devices", "2", "--batch-size", "24", "--output", folder.path],
      environment: ["PL_DEEPSPEED_CONFIG_PATH": path])
    #expect(run.status != 0)
    #expect(run.failure.contains("the loader has batches of 24 samples, and 'train_micro_batch_size_per_gpu' means 16"))
  }
}

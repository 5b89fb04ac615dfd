import Foundation
import Testing

/// Whole runs of `digits` under `deepspeed`, against one device.
@Suite("DeepSpeed", .serialized)
struct DeepSpeedRunTests {
  private static let flags = [
    "--optimizer", "adamw", "--lr", "0.002", "--accumulate", "2", "--clip-norm", "0.5", "--schedule", "cosine",
  ]
  private static let alone = Result { try DeepSpeedRun("single_device", 1, flags) }
  private static let aloneInBFloat16 = Result {
    try DeepSpeedRun("single_device", 1, ["--precision", "bf16-mixed", "--clip-value", "0.01"], steps: 40)
  }

  @Test("100 steps with accumulation, clipping and a schedule equal those of one device", arguments: 1...3)
  func parity(stage: Int) throws {
    let alone = try Self.alone.get()
    for ranks in 1...3 {
      let run = try DeepSpeedRun("deepspeed", ranks, Self.flags, config: DeepSpeedRun.config(stage))
      try run.expectLosses(alone.losses, within: 1e-3, "stage \(stage) on \(ranks) ranks")
      let difference = try largestDifference(
        CheckpointFile("\(alone.folder.path)/last.ckpt"), CheckpointFile("\(run.folder.path)/last.ckpt"))
      #expect(difference < 1e-3)
    }
  }

  /// The precision may be named in the trainer, too.
  @Test("bfloat16, momentum and clipping by value", arguments: [0, 2, 3])
  func bfloat16(stage: Int) throws {
    let alone = try Self.aloneInBFloat16.get()
    let run = try DeepSpeedRun(
      "deepspeed", 2, ["--clip-value", "0.01", "--precision", "bf16-mixed"],
      config: DeepSpeedRun.config(stage, #", "bf16": {"enabled": true}"#), steps: 40)
    try run.expectLosses(alone.losses, within: 0.05, "stage \(stage)")
  }

  @Test("float16 with a loss scale that finds itself", arguments: [1, 3])
  func float16(stage: Int) throws {
    let alone = try DeepSpeedRun("single_device", 1, [], steps: 30)
    let scale = #", "fp16": {"enabled": true, "initial_scale_power": 8, "loss_scale_window": 1000}"#
    let run = try DeepSpeedRun("deepspeed", 2, [], config: DeepSpeedRun.config(stage, scale), steps: 30)
    try run.expectLosses(alone.losses, within: 0.05, "stage \(stage)")
    let first = try DeepSpeedRun("deepspeed", 2, [], config: DeepSpeedRun.config(stage, scale), steps: 12)
    let second = try DeepSpeedRun(
      "deepspeed", 2, ["--resume", "\(first.folder.path)/last.ckpt"], config: DeepSpeedRun.config(stage, scale),
      steps: 30)
    #expect(first.losses + second.losses == run.losses)
    // The first scales overflow: steps are left out until it fits.
    let steep = #", "fp16": {"enabled": true, "initial_scale_power": 40, "hysteresis": 1}"#
    let late = try DeepSpeedRun("deepspeed", 2, [], config: DeepSpeedRun.config(stage, steep), steps: 40)
    #expect(late.losses[0] == run.losses[0] && late.losses[1] != run.losses[1])
    #expect(late.losses.allSatisfy(\.isFinite) && late.losses.suffix(3).allSatisfy { $0 < late.losses[0] - 0.5 })
    let stuck = #", "fp16": {"enabled": true, "initial_scale_power": 40, "hysteresis": 1, "min_loss_scale": 5e11}"#
    let end = try DeepSpeedRun.start(
      "deepspeed", 2, [], config: DeepSpeedRun.config(stage, stuck), steps: 40, in: TemporaryFolder())
    #expect(end.status != 0)
    #expect(end.failure.contains("loss scale"), "\(end.errors)")
  }

  @Test("The optimizer and clipping of the configuration, which may take numbers of the module's optimizer")
  func optimizerOfTheConfiguration() throws {
    let own = ["--optimizer", "adamw", "--lr", "0.002"]
    let alone = try DeepSpeedRun("single_device", 1, own + ["--clip-norm", "0.5"], steps: 30)
    let automatic = #"{"lr": "auto", "betas": "auto", "eps": "auto", "weight_decay": "auto"}"#
    for (params, flags) in [(#"{"lr": 0.002, "weight_decay": 0.01}"#, []), (automatic, own)] {
      let members = #", "gradient_clipping": 0.5, "optimizer": {"type": "Adam", "params": \#(params)}"#
      let run = try DeepSpeedRun("deepspeed", 2, flags, config: DeepSpeedRun.config(2, members), steps: 30)
      try run.expectLosses(alone.losses, within: 1e-4, params)
    }
  }

  @Test("LAMB does not depend on how parameters are partitioned", arguments: [1, 3])
  func lamb(stage: Int) throws {
    let members =
      #", "optimizer": {"type": "Lamb", "params": {"lr": 0.02, "weight_decay": 0.01}}, "#
      + #""scheduler": {"type": "WarmupDecayLR", "params": {"total_num_steps": "auto", "warmup_num_steps": 5}}"#
    let alone = try DeepSpeedRun("deepspeed", 1, [], config: DeepSpeedRun.config(0, members), steps: 20)
    let run = try DeepSpeedRun("deepspeed", 3, [], config: DeepSpeedRun.config(stage, members), steps: 20)
    try run.expectLosses(alone.losses, within: 1e-4, "stage \(stage)")
  }

  /// Optimizers up to the number of steps of their warm-up, and what comes after that.
  static let compressing: [(optimizer: String, others: String)] = [
    (#""OneBitAdam", "params": {"lr": 0.005, "eps": 0.003, "betas": [0.9, 0.99], "freeze_step""#, ""),
    (
      #""ZeroOneAdam", "params": {"lr": 0.005, "eps": 0.003, "betas": [0.9, 0.99], "var_freeze_step""#,
      #", "var_update_scaler": 8, "local_step_scaler": 12, "local_step_clipper": 2"#
    ),
    (#""OneBitLamb", "params": {"lr": 0.02, "eps": 0.01, "betas": [0.9, 0.99], "coeff_beta": 0.5, "freeze_step""#, ""),
  ]

  /// The averages of squares of digits' dark corners stay near 0, where one bit of momentum would be a leap: hence `eps`.
  @Test("Compressed optimizers train as without compression, and go on exactly from a checkpoint", arguments: 0...2)
  func compressed(number: Int) throws {
    let (optimizer, others) = Self.compressing[number]
    func config(_ warmUp: Int, _ others: String) -> String {
      DeepSpeedRun.config(0, #", "optimizer": {"type": \#(optimizer): \#(warmUp)\#(others)}}"#)
    }
    let plain = try DeepSpeedRun("deepspeed", 2, [], config: config(1000, ""), steps: 48)
    let whole = try DeepSpeedRun("deepspeed", 2, [], config: config(16, others), steps: 48)
    try #require(whole.losses.count == 48)
    #expect(whole.losses != plain.losses)
    let ends = [whole, plain].map { $0.losses.suffix(4).reduce(0, +) / 4 }
    #expect(ends[0] < 1.2 * ends[1], "\(whole.losses)")
    let first = try DeepSpeedRun("deepspeed", 2, [], config: config(16, others), steps: 24)
    let second = try DeepSpeedRun(
      "deepspeed", 2, ["--resume", "\(first.folder.path)/last.ckpt"], config: config(16, others), steps: 48)
    #expect(first.losses + second.losses == whole.losses)
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

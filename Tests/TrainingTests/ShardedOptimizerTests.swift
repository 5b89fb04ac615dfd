import Testing

/// In float64 the order of sums is all that differs between one device and several ranks.
@Suite("Every optimizer of the library on partitioned parameters")
struct ShardedOptimizerTests {
  @Test(
    "Steps are those of one device, also where norms of whole parameters count",
    arguments: ["adam", "nesterov", "lamb", "qadam"])
  func sameSteps(optimizer: String) throws {
    let options = ["optimizer=\(optimizer)", "steps=8", "clip=0.5", "tied"]
    let alone = try ShardedRun(1, options)
    var places = [optimizer == "nesterov" ? (2, "fsdp-units") : (3, "deepspeed-parts")]
    // LAMB adds squares up over all ranks, each element once, however it is cut and copied.
    if optimizer == "lamb" {
      places += [
        (2, "fsdp-units"), (3, "ddp_sharded"), (2, "deepspeed_stage_3"), (4, "fsdp-hybrid"), (1, "fsdp-units"),
      ]
    }
    for (ranks, strategy) in places {
      try ShardedRun(ranks, options + ["strategy=\(strategy)"])
        .expectEqual(alone, within: 1e-9, "\(optimizer), \(strategy) on \(ranks)")
    }
  }

  @Test("An optimizer of the user's own, also under a strategy of the user's own, and resumed from parts")
  func ownOptimizer() throws {
    let options = ["optimizer=own", "steps=8", "clip=0.5", "tied"]
    let alone = try ShardedRun(1, options)
    for (ranks, strategy) in [(2, "fsdp-own"), (3, "deepspeed-parts"), (2, "ddp_sharded")] {
      try ShardedRun(ranks, options + ["strategy=\(strategy)"])
        .expectEqual(alone, within: 1e-9, "\(strategy) on \(ranks)")
    }
    let place = ["strategy=fsdp-own", "state=sharded"]
    let part = try ShardedRun(2, options.filter { $0 != "steps=8" } + ["steps=5"] + place)
    _ = try part.losses
    let path = "\(part.probe.folder.path)/checkpoints/last.ckpt"
    let rest = try ShardedRun(2, options + ["strategy=fsdp-own", "resume=\(path)"])
    try #expect(largestDifference(rest.checkpoint, alone.checkpoint) < 1e-8)
    let disk = try ShardedRun(2, options + ["strategy=deepspeed_stage_3_offload_nvme"]).probe
    #expect(disk.status == 1 && disk.failure.contains("OwnOptimizer cannot be offloaded"), "\(disk.run.errors)")
  }

  @Test("A ds_config that names an optimizer takes numbers of the module's own, but not the place of two")
  func optimizerOfAConfiguration() throws {
    let alone = try ShardedRun(1, ["steps=6"])
    try ShardedRun(2, ["steps=6", "strategy=deepspeed-json"]).expectEqual(alone, within: 1e-9, "one")
    let two = try ShardedRun(2, ["steps=6", "strategy=deepspeed-json", "manual"]).probe
    #expect(two.status == 1)
    #expect(two.failure.contains("steps its 2 optimizers itself, and the ds_config names one"), "\(two.run.errors)")
  }

  @Test("Two optimizers that look at whole parameters, stepped by the module")
  func severalOptimizers() throws {
    let options = ["optimizer=lamb", "steps=6", "manual"]
    let alone = try ShardedRun(1, options)
    for (ranks, strategy) in [(2, "fsdp-units"), (3, "deepspeed-parts")] {
      try ShardedRun(ranks, options + ["strategy=\(strategy)"])
        .expectEqual(alone, within: 1e-9, "\(strategy) on \(ranks)")
    }
  }

  @Test(
    "Optimizers that divide or compress by themselves are refused before the first step",
    arguments: [
      ("zero", "ZeroRedundancyOptimizer divides the state"), ("one-bit", "OneBitAdam compresses whole momenta"),
    ])
  func refused(optimizer: String, words: String) throws {
    for strategy in ["fsdp-units", "deepspeed_stage_2"] {
      let run = try ShardedRun(2, ["optimizer=\(optimizer)", "strategy=\(strategy)"]).probe
      #expect(run.status == 1)
      #expect(run.failure.contains(words), "\(run.run.errors)")
      #expect(!run.folder.text("metrics.csv").contains("train/loss"))
    }
  }
}

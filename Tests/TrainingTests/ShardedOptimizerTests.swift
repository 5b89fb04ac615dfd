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

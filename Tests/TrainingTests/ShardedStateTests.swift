import Testing
import Torch

@Suite("Evaluation and checkpoints of sharded models")
struct ShardedStateTests {
  @Test("Uneven numbers of batches: ranks without one help the others", arguments: [1, 13, 30])
  func evaluation(samples: Int) throws {
    let options = ["steps=3", "val=\(samples)", "stages=validate,predict,fit,validate"]
    let alone = try ShardedRun(1, options)
    let expected = try alone.probe.succeeded().run.outputLines
    try #require(expected.count == 3 && expected[0].hasSuffix("of \(samples)"))
    for (ranks, strategy) in [(2, "fsdp-units"), (3, "fsdp-units"), (3, "ddp_sharded")] {
      let found = try ShardedRun(ranks, options + ["strategy=\(strategy)"]).probe.succeeded().run.outputLines
      for (one, other) in zip(found, expected) {
        let pairs = zip(numbers(one), numbers(other))
        #expect(numbers(one).count == numbers(other).count)
        #expect(pairs.allSatisfy { abs($0 - $1) < 1e-9 }, "\(strategy) on \(ranks): \(one) instead of \(other)")
      }
      #expect(found.count == expected.count)
    }
  }

  private func numbers(_ line: String) -> [Double] {
    line.split { !"0123456789.e-+".contains($0) }.compactMap { Double($0) }
  }

  @Test("A checkpoint holds whole tensors and continues on any number of ranks, under any strategy")
  func resuming() throws {
    let common = ["accumulate=2", "clip=0.05", "schedule=cosine", "tied"]
    let whole = try ShardedRun(1, common + ["steps=9"])
    let first = try ShardedRun(3, common + ["steps=6", "strategy=fsdp-units"])
    let alone = try ShardedRun(1, common + ["steps=6"])
    try first.expectEqual(alone, within: 1e-9, "before")
    try expectSameOptimizer(first.checkpoint, alone.checkpoint)
    let path = "\(first.probe.folder.path)/checkpoints/last.ckpt"
    for (ranks, strategy) in [(2, "fsdp-units"), (1, "single_device"), (3, "ddp_sharded")] {
      let run = try ShardedRun(ranks, common + ["steps=9", "strategy=\(strategy)", "resume=\(path)"])
      let losses = try run.losses
      for (found, expected) in zip(losses.reversed(), try whole.losses.reversed()) {
        expectClose(found, expected, within: 1e-9, "resumed with \(strategy) on \(ranks)")
      }
      #expect(try largestDifference(run.checkpoint, whole.checkpoint) < 1e-8)
    }
  }

  private func expectSameOptimizer(_ found: CheckpointFile, _ expected: CheckpointFile) throws {
    let pairs = try [found, expected].map { file in
      try #require(file.contents["optimizer_states"]?.listValue?.first?["state"]?.dictionaryValue)
    }
    #expect(pairs[0].keys == pairs[1].keys)
    for key in pairs[1].keys {
      let (own, other) = (pairs[0][key]?.dictionaryValue, pairs[1][key]?.dictionaryValue)
      for name in ["step", "exp_avg", "exp_avg_sq"] {
        let (one, two) = (try #require(own?[name]?.tensorValue), try #require(other?[name]?.tensorValue))
        #expect(one.shape == two.shape && one.dtype == two.dtype, "\(name) of \(key)")
        #expect(try Aten.abs(Aten.sub(one, other: two)).max().scalar() < 1e-9, "\(name) of \(key)")
      }
    }
  }

  @Test("After a run every process has the whole model, and can save again")
  func afterwards() throws {
    for strategy in ["fsdp-units", "ddp_sharded"] {
      let run = try ShardedRun(2, ["steps=3", "strategy=\(strategy)", "stages=fit,save,print,fit", "summary"])
      let lines = try run.probe.succeeded().run.outputLines
      #expect(lines.filter { $0.hasSuffix(": 567 elements") }.count == 2, "\(lines)")
      let after = try CheckpointFile("\(run.probe.folder.path)/after.ckpt")
      #expect(after.step == 3)
      #expect(after.contents["optimizer_states"]?.listValue?.first?["state"]?.dictionaryValue?.count == 25)
    }
  }

  @Test("A model without memory is never whole on a rank, and computes the same")
  func deferred() throws {
    let alone = try ShardedRun(1, ["seeded", "steps=6"])
    let parts = ["seeded", "deferred", "strategy=fsdp-units"]
    let run = try ShardedRun(2, parts + ["steps=6", "stages=fit,save,print,validate"])
    try run.expectEqual(alone, within: 1e-9, "deferred")
    let counts = run.probe.run.outputLines.filter { $0.hasSuffix("elements") }.compactMap { numbers($0).last }
    #expect(counts.count == 2 && counts.reduce(0, +) == 567 && counts.allSatisfy { $0 < 300 }, "\(counts)")
    let path = "\(run.probe.folder.path)/after.ckpt"
    let folder = try ShardedRun(2, parts + ["steps=6", "stages=fit,save", "state=sharded"])
    #expect(try folder.probe.succeeded().folder.names(in: "after.ckpt") == ["latest", "v1"])
    let again = try ShardedRun(3, parts + ["steps=9", "resume=\(folder.probe.folder.path)/after.ckpt"])
    let resumed = try ShardedRun(3, parts + ["steps=9", "resume=\(path)"])
    #expect(try largestDifference(again.checkpoint, resumed.checkpoint) < 1e-12)
    let whole = try ShardedRun(1, ["seeded", "steps=9"])
    #expect(try largestDifference(resumed.checkpoint, whole.checkpoint) < 1e-8)
  }

  @Test("Processes of a spawned run give their weights back")
  func spawned() throws {
    let options = ["steps=3", "stages=fit,predict"]
    let expected = try ShardedRun(1, options).probe.succeeded().run.outputLines
    let found = try ShardedRun(2, options + ["strategy=ddp_sharded_spawn"]).probe.succeeded().run.outputLines
    let rows = [found, expected].map { numbers($0.last { $0.contains("rows") } ?? "") }
    #expect(rows[0].count == 36)
    #expect(zip(rows[0], rows[1]).allSatisfy { abs($0 - $1) < 1e-9 })
  }

  @Test("A rank that is killed between two gathers: the others end, and the report names it", arguments: [2, 3])
  func killed(ranks: Int) throws {
    let run = try ShardedRun(ranks, ["strategy=fsdp-units", "kill", "steps=20"]).probe
    #expect(run.status == 137)
    #expect(run.run.errors.contains("rank 1 was killed by SIGKILL"), "\(run.run.errors)")
  }

  /// AdamW in float32: 4 bytes of parameters, 4 of gradients and 8 of state, each divided by the ranks from its stage on.
  @Test("State takes what the stage says, and the memory of the whole model is given back", arguments: 1...3)
  func bytes(stage: Int) throws {
    let count = 16 * (1024 * 1024 + 1024)
    for ranks in stage == 3 ? [1, 2, 3] : [2] {
      let run = try ProbeRun("sharded-memory", ranks, "stage=\(stage)").succeeded()
      let lines = run.run.outputLines.map(numbers)
      #expect(lines.count == ranks)
      let divisors = [stage >= 3 ? ranks : 1, stage >= 2 ? ranks : 1, ranks]
      for line in lines {
        try #require(line.count >= 4)
        for (found, (size, divisor)) in zip(line.suffix(4), zip([4, 4, 8], divisors)) {
          let expected = Double(count * size / divisor)
          #expect(abs(found / expected - 1) < 0.05, "\(found) instead of \(expected) on \(ranks)")
        }
        if stage == 3, ranks > 1 {
          let share = Double(count * 4) * (1 - 1 / Double(ranks))
          #expect(line.last ?? 0 > share * 0.6, "\(line) of \(share) bytes")
        }
      }
    }
  }

  @Test("What does not fit is told before the first step")
  func badInput() throws {
    let cases: [(ranks: Int, options: [String], words: [String])] = [
      (2, ["strategy=engine", "wrap=nothing"], ["matches nothing", "Block", ".automatic()"]),
      (2, ["strategy=engine", "memory-limit=1000"], ["does not fit", "wrap policy"]),
      (3, ["strategy=engine", "shards=2"], ["3 ranks", "(3, 1), (1, 3)"]),
      (3, ["strategy=fsdp-hybrid"], ["3 ranks", "(3, 1), (1, 3)"]),
      (3, ["strategy=deepspeed-mics"], ["3 ranks"]),
      (2, ["strategy=engine", "find-unused=no", "unused=odd"], ["extra.weight, extra.bias", "findUnusedParameters"]),
      (2, ["strategy=fsdp-units", "fail"], ["rank 1 fails"]),
    ]
    for (ranks, options, words) in cases {
      let run = try ShardedRun(ranks, options).probe
      #expect(run.status != 0)
      for word in words {
        #expect(run.failure.contains(word) || run.run.errors.contains(word), "\(options): \(run.run.errors)")
      }
    }
  }
}

import Foundation
import Testing

@Suite("Subclasses of the built-in strategies, made and registered in another module", .serialized)
struct SubclassTests {
  @Test(
    "They give the numbers of their superclass and see every step",
    arguments: [
      ("own_single_device", "single_device"), ("own_dp", "dp"), ("own_ddp", "ddp"), ("own_ddp2", "ddp2"),
      ("own_ddp_sharded", "ddp_sharded"), ("own_fsdp", "fsdp"), ("own_horovod", "horovod"),
      ("own_bagua", "own_bagua_by_name"), ("own_deepspeed", "deepspeed"),
      ("own_deepspeed_stage_1", "deepspeed_stage_1"),
      ("own_deepspeed_stage_3", "deepspeed_stage_3"), ("own_deepspeed_config", "deepspeed_stage_2"),
      ("own_inherited", "deepspeed_stage_1"),
    ])
  func strategies(name: String, base: String) throws {
    let ranks = base == "single_device" ? 1 : 2
    let run = try ProbeRun(
      "two-strategies", ranks, "epochs=1", "optimizer=adamw", "strategy=\(name)", "second=\(base)"
    ).succeeded()
    let weights = run.run.outputLines.filter { $0.hasPrefix("weights ") }
    #expect(weights.count == 3 && Set(weights).count == 1, "\(run.run.output)")
    let counts = run.run.outputLines.filter { $0.contains(" saw ") }
    let steps = try run.metrics.rows("train/loss").count / 2
    #expect(steps >= 3)
    #expect(counts.count == (base == "own_bagua_by_name" ? 3 : 2), "\(run.run.output)")
    #expect(counts.allSatisfy { $0.hasSuffix(" saw \(steps) steps") }, "\(counts)")
  }

  @Test("Number formats of one's own", arguments: [("own-mixed", "scaled"), ("own-true", "64-true")])
  func precisions(name: String, base: String) throws {
    let runs = try [name, base].map {
      try ProbeRun("fit", 1, "epochs=1", "precision=\($0)", "scale=64").succeeded()
    }
    #expect(runs[0].weightSums == runs[1].weightSums && runs[0].weightSums.count == 1)
  }
}

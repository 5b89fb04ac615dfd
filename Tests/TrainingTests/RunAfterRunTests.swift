import Foundation
import Testing

@Suite("What one run leaves does not reach the next", .serialized)
struct RunAfterRunTests {
  private static let strategies = [
    "strategy=ddp", "strategy=ddp_sharded", "strategy=fsdp", "strategy=deepspeed_stage_1", "strategy=deepspeed_stage_3",
    "strategy=deepspeed_stage_3_offload_nvme", "strategy=horovod", "strategy=bagua", "hook=powerSGD",
  ]

  @Test(
    "A fit after a fit of another model, a test and a failed fit is the first one again",
    arguments: ["strategy=single_device"] + strategies.prefix(6))
  func alone(strategy: String) throws {
    let run = try ProbeRun(
      "fit-again", 1, "epochs=1", "optimizer=adamw", "runs=fit,other,fit,failing,fit,test,fit", strategy
    ).succeeded()
    #expect(run.run.output.contains("failed: the user's code fails at batch 2"))
    #expect(run.weightSums.count == 4)
    #expect(Set(run.weightSums).count == 1, "\(run.run.output)")
  }

  @Test("The same on two ranks", arguments: ["strategy=dp"] + strategies)
  func together(strategy: String) throws {
    let run = try ProbeRun(
      "fit-again", 2, "epochs=1", "optimizer=adamw", "runs=fit,other,test,fit", strategy
    ).succeeded()
    #expect(run.weightSums.count == (strategy == "strategy=dp" ? 2 : 4))
    #expect(Set(run.weightSums).count == 1, "\(run.run.output)")
  }

  @Test("The loss scale begins anew", arguments: [1, 2])
  func lossScale(ranks: Int) throws {
    let run = try ProbeRun(
      "fit-again", ranks, "epochs=1", "precision=scaled", "scale=8", "growth-interval=2",
      "runs=fit,\(ranks == 1 ? "failing," : "")fit"
    ).succeeded()
    let scales = run.run.outputLines.filter { $0.contains("scale: ") }
    #expect(scales.count == 2 * ranks && Set(scales.map { $0.drop { $0 != ":" } }).count == 1, "\(scales)")
    #expect(!scales[0].contains("scale: 8.0 "), "it has grown")
    #expect(Set(run.weightSums).count == 1)
  }
}

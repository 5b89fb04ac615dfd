import Foundation
import Testing

@Suite("Runs that save memory are runs, to the bit")
struct MemorySavingRunTests {
  @Test(
    "Weights and metrics with deferred initialisation and checkpointed activations",
    arguments: [
      (1, "single_device"), (2, "ddp"), (2, "ddp_find_unused_parameters_true"), (2, "dp"), (2, "fsdp"),
      (3, "ddp_sharded"),
    ])
  func sameNumbers(devices: Int, strategy: String) throws {
    func run(_ options: String...) throws -> ProbeRun {
      try ProbeRun(
        "fit", devices,
        options: ["model=blocks", "strategy=\(strategy)", "train=24", "batch=6", "epochs=2"] + options
      ).succeeded()
    }
    let plain = try run()
    #expect(!plain.weightSums.isEmpty && Set(plain.weightSums).count == 1)
    for options in [["deferred"], ["checkpointed"], ["deferred", "checkpointed"]] {
      let saving = try run(options[0], options.last ?? "")
      if strategy == "fsdp", options[0] == "deferred" {
        // What was never whole stays in parts; the checkpoint has the weights.
        let pair = try [saving, plain].map { try CheckpointFile("\($0.folder.path)/checkpoints/last.ckpt") }
        #expect(try largestDifference(pair[0], pair[1]) == 0, "\(options)")
      } else {
        #expect(saving.weightSums == plain.weightSums, "\(options)")
      }
      #expect(saving.folder.text("metrics.csv") == plain.folder.text("metrics.csv"), "\(options)")
    }
  }
}

import Testing

@Suite("Checkpointed activations under each strategy", .serialized)
struct ActivationCheckpointRunTests {
  private struct Result {
    /// What the first forward keeps for backward, on each rank.
    let bytes: [Int]
    let weights: [String]
    let losses: [Double]
    let output: String

    init(_ strategy: String, _ ranks: Int, _ options: [String] = []) throws {
      let probe = try ProbeRun("activations", ranks, options: ["strategy=\(strategy)"] + options).succeeded()
      bytes = probe.run.outputLines.filter { $0.hasSuffix(" bytes") }.compactMap {
        Int($0.split(separator: " ").dropLast().last ?? "")
      }
      weights = probe.weightSums
      losses = try probe.metrics.values("train/loss")
      output = probe.run.output + probe.run.errors
    }
  }

  /// Of each of eight blocks: plain 4 MiB for GELU, 4 MiB for the last layer, and the mask of dropout; checkpointed its input
  /// of 256 KiB.
  @Test(
    "A forward keeps a fraction of the bytes; losses and weights are the same to the bit, with dropout",
    arguments: [("ddp", 2), ("ddp_sharded", 2), ("fsdp", 2), ("deepspeed", 2)])
  func bytes(strategy: String, ranks: Int) throws {
    let plain = try Result(strategy, ranks)
    let saving = try Result(strategy, ranks, ["checkpointed"])
    #expect(plain.bytes.count == ranks && saving.bytes.count == ranks)
    for (one, other) in zip(plain.bytes, saving.bytes) {
      #expect(one > 60 << 20 && other < 20 << 20, "\(one) and \(other) bytes")
    }
    #expect(saving.weights == plain.weights && Set(plain.weights).count == 1, "\(saving.weights)")
    #expect(saving.losses == plain.losses && plain.losses.count == 3)
    guard strategy == "deepspeed" else { return }
    // cpu_checkpointing is asked for, where it can change nothing.
    #expect(saving.output.contains("cpu_checkpointing (on a CPU the inputs of layers are in the memory of the host"))
    #expect(
      plain.output.contains("cpu_checkpointing (no layer is checkpointed: give the strategy activationCheckpoint"))
  }
}

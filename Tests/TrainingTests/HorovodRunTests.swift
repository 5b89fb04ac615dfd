import Foundation
import Testing
import Torch

@Suite("Programs that train with horovod", .serialized)
struct HorovodRunTests {
  private func fit(_ ranks: Int, _ options: [String], folder: TemporaryFolder? = nil) throws -> ProbeRun {
    try ProbeRun("fit", ranks, options: ["strategy=horovod"] + options, folder: folder)
  }

  private func alone(_ options: [String]) throws -> [Double] {
    try ProbeRun("fit", 1, options: options).succeeded().metrics.values("train/loss")
  }

  private func expectEqual(_ found: [Double], _ expected: [Double], within tolerance: Double = 1e-5) throws {
    try #require(found.count == expected.count && !found.isEmpty)
    for (step, (found, expected)) in zip(found, expected).enumerated() {
      expectClose(found, expected, within: tolerance, "loss of step \(step)")
    }
  }

  /// All ranks have ended with the same weights, to the bit.
  private func expectAgreement(_ run: ProbeRun, _ ranks: Int) {
    #expect(run.weightSums.count == ranks && Set(run.weightSums).count == 1)
  }

  // MARK: Parity

  @Test("100 steps on the same global batch as one device", arguments: [1, 2, 3])
  func parity(_ ranks: Int) throws {
    let common = ["epochs=25", "train=48", "lr=0.05", "checkpoints=no", "val=-1"]
    let expected = try alone(common + ["batch=12"])
    let run = try fit(ranks, common + ["batch=\(12 / ranks)"]).succeeded()
    #expect(expected.count == 100 && expected[99] < expected[0])
    try expectEqual(try run.metrics.values("train/loss"), expected)
    expectAgreement(run, ranks)
  }

  @Test(
    "Accumulated and clipped, with AdamW, fused and unfused, divided before and after the sum",
    arguments: [["fusion=0"], ["predivide=4"], ["clip-norm=0.05"]])
  func options(_ options: [String]) throws {
    // Five batches in windows of two: the last window of an epoch is short.
    let common =
      ["epochs=4", "train=60", "optimizer=adamw", "lr=0.01", "accumulate=2", "checkpoints=no", "val=-1"]
      + options.filter { $0.hasPrefix("clip") }
    let expected = try alone(common + ["batch=12"])
    let run = try fit(2, common + ["batch=6"] + options).succeeded()
    try expectEqual(try run.metrics.values("train/loss"), expected, within: 1e-4)
    expectAgreement(run, 2)
  }

  @Test("A schedule of accumulation, and two optimizers that the module steps, equal PyTorch's")
  func loops() throws {
    let reference = try LoopReference.load()
    let folder = try TemporaryFolder()
    let common = ["strategy=horovod", "val=-1", "batch=2"]
    try LoopRun(
      "loops", 2, options: common + ["epochs=4", "accumulation=0:2,2:4,3:1", "weights=\(folder.path)/scheduled"]
    ).succeeded()
    try reference.compare("\(folder.path)/scheduled", with: #require(reference.accumulated["schedule"]))
    for name in ["plain", "clip"] {
      try LoopRun(
        "gan", 2,
        options: common + ["epochs=3", "weights=\(folder.path)/\(name)"] + (name == "clip" ? ["clip=0.05"] : [])
      ).succeeded()
      try reference.compare("\(folder.path)/\(name)", with: #require(reference.gan[name]))
    }
  }

  @Test("Learning rates are scaled when asked for, and only then; the rule is told")
  func learningRate() throws {
    let common = ["epochs=3", "train=24", "schedule=step", "checkpoints=no", "val=-1"]
    let scaled = try fit(2, common + ["batch=6", "lr=0.05", "scaling=linear"]).succeeded()
    try expectEqual(try scaled.metrics.values("train/loss"), try alone(common + ["batch=12", "lr=0.1"]))
    #expect(
      scaled.run.errors.contains("2 batches a step; learning rate 0.1: 0.05 times 2 ranks"), "\(scaled.run.errors)")
    let plain = try fit(2, common + ["batch=6", "lr=0.05"]).succeeded()
    #expect(plain.run.errors.contains("learning rate 0.05, not scaled with the 2 ranks"), "\(plain.run.errors)")
  }

  // MARK: Precision and compression

  @Test(
    "Compressed gradients, and every precision",
    arguments: ["compression=fp16", "compression=bf16", "bf16-mixed", "scaled"])
  func precision(_ setting: String) throws {
    let common = ["epochs=10", "lr=0.1", "checkpoints=no", "val=-1"]
    let expected = try alone(common + ["batch=12"])
    let options = setting.contains("=") ? [setting] : ["precision=\(setting)"]
    let run = try fit(2, common + ["batch=6"] + options).succeeded()
    let losses = try run.metrics.values("train/loss")
    try expectEqual(losses, expected, within: 0.02)
    #expect(losses != expected)
    expectAgreement(run, 2)
  }

  @Test("A gradient that overflows on one rank leaves out the step on all", arguments: ["average", "adasum"])
  func overflow(_ operation: String) throws {
    let run = try fit(
      2, ["epochs=1", "batch=6", "precision=scaled", "fault=overflow", "rank=1", "at=0", "operation=\(operation)"]
    ).succeeded()
    expectAgreement(run, 2)
    let scales = run.run.outputLines.filter { $0.contains("scale: ") }.map { $0.drop { $0 != ":" } }
    #expect(scales.count == 2 && Set(scales) == [": 32768.0 1"], "\(scales)")
  }

  // MARK: Checkpoints

  @Test(
    "Going on from a checkpoint, to the bit",
    arguments: [
      (2, ["optimizer=adamw", "lr=0.01", "schedule=cosine", "shuffle"]), (3, ["deterministic=on", "accumulate=2"]),
      // Each rank has an optimizer state of its own.
      (2, ["operation=adasum", "optimizer=adamw", "lr=0.01"]),
    ])
  func resuming(_ ranks: Int, _ setting: [String]) throws {
    let options = ["train=\(20 * ranks)", "batch=4", "epochs=3", "val=-1"] + setting
    let whole = try fit(ranks, options).succeeded()
    let part = try fit(ranks, options + ["steps=4"]).succeeded()
    let checkpoint = "\(part.folder.path)/checkpoints/last.ckpt"
    #expect(try CheckpointFile(checkpoint).step == 4)
    let rest = try fit(ranks, options + ["resume=\(checkpoint)"], folder: part.folder).succeeded()
    #expect(rest.weightSums == whole.weightSums)
    #expect(rest.folder.text("metrics.csv") == whole.folder.text("metrics.csv"))
    // The state of the optimizer is PyTorch's, for one device as well.
    let alone = try ProbeRun("fit", 1, options: options + ["resume=\(checkpoint)", "batch=\(4 * ranks)"])
    #expect(alone.status == 0, "\(alone.failure)")
  }

  @Test("Optimizer states of Adasum's ranks do not fit another number of ranks: that of rank 0 goes on, and it is said")
  func otherRanks() throws {
    let options = ["train=16", "batch=4", "operation=adasum", "val=-1"]
    let part = try fit(2, options + ["epochs=1"]).succeeded()
    let rest = try fit(
      4, options + ["epochs=2", "resume=\(part.folder.path)/checkpoints/last.ckpt"], folder: part.folder
    ).succeeded()
    expectAgreement(rest, 4)
    #expect(
      rest.run.errors.contains(
        "note: the checkpoint holds the optimizer states of 2 ranks; the 4 ranks go on with that of rank 0"),
      "\(rest.run.errors)")
  }

  // MARK: Uneven data

  @Test("Going on where ranks have no batches left in the epoch, to the bit", arguments: [(2, 3), (3, 3), (3, 5)])
  func unevenResuming(_ ranks: Int, _ steps: Int) throws {
    // Rank 0 has 2 batches, rank 1 has 4, and rank 2 has 6.
    let options = ["ragged", "train=\(8 * ranks)", "batch=4", "epochs=2", "val=-1", "deterministic=on"]
    let whole = try fit(ranks, options).succeeded()
    let part = try fit(ranks, options + ["steps=\(steps)"]).succeeded()
    let checkpoint = "\(part.folder.path)/checkpoints/last.ckpt"
    #expect(try CheckpointFile(checkpoint).step == steps)
    let rest = try fit(ranks, options + ["resume=\(checkpoint)"], folder: part.folder).succeeded()
    expectAgreement(rest, ranks)
    #expect(rest.weightSums == whole.weightSums)
    #expect(rest.folder.text("metrics.csv") == whole.folder.text("metrics.csv"))
  }

  @Test("Ranks with different numbers of batches train to the end and agree", arguments: [2, 3])
  func uneven(_ ranks: Int) throws {
    let run = try fit(ranks, ["ragged", "epochs=2", "batch=4", "accumulate=2", "train=\(24 * ranks)"]).succeeded()
    expectAgreement(run, ranks)
    let most = (24 * ranks + 8 * ranks * (ranks - 1)) / (4 * ranks)
    #expect(try run.metrics.values("train/loss").count == 2 * most)
    #expect(try run.metrics.values("train/loss").allSatisfy(\.isFinite))
    #expect(
      run.run.errors.contains("note: the ranks have different numbers of training batches ("), "\(run.run.errors)")
    let other = try ProbeRun("fit", ranks, "ragged", "epochs=1", "batch=4")
    #expect(other.failure.contains("the ranks have different numbers of training batches"), "ddp still refuses")
  }

  // MARK: Adasum

  @Test("With the mean of a node as one vector, one node is the average of updates")
  func hierarchical() throws {
    let common = ["epochs=5", "momentum=0", "checkpoints=no", "val=-1"]
    // Of plain SGD the mean of updates is the update of the mean gradient.
    let expected = try alone(common + ["batch=12"])
    let run = try fit(3, common + ["batch=4", "operation=adasum", "hierarchical"]).succeeded()
    try expectEqual(try run.metrics.values("train/loss"), expected)
    expectAgreement(run, 3)
  }

  // MARK: Words of its own

  @Test("Process sets, and parameters and state of rank 0 for all")
  func words() throws {
    let run = try fit(3, ["epochs=1", "speak", "sets", "batch=4"]).succeeded()
    expectAgreement(run, 3)
    for line in ["says 0: 6.0 [4.0, 1.0] 0 -", "says 1: 6.0 [2.0, 2.0] - 0", "says 2: 6.0 [4.0, 3.0] 1 -"] {
      #expect(run.run.output.contains(line), "\(line): \(run.run.output)")
    }
    for rank in 0..<3 { #expect(run.run.output.contains("rate of \(rank): 0.1")) }
    // An optimizer over ranks 0 and 2: their mean (1 + 9) / 2; rank 1 has its own gradient.
    for line in ["moved 0: -5.0", "moved 1: -4.0", "moved 2: -5.0"] {
      #expect(run.run.output.contains(line), "\(line): \(run.run.output)")
    }
  }

  @Test("Momenta of rank 0 replace none at all on the others")
  func broadcastState() throws {
    let options = ["train=24", "batch=4", "epochs=3", "val=-1"]
    let whole = try fit(2, options).succeeded()
    let part = try fit(2, options + ["epochs=1"]).succeeded()
    let rest = try fit(
      2, options + ["speak", "resume=\(part.folder.path)/checkpoints/last.ckpt"], folder: part.folder
    ).succeeded()
    #expect(rest.weightSums == whole.weightSums)
  }

  // MARK: Who starts the processes, and who waits for whom

  @Test("Processes with horovodrun's variables")
  func variables() throws {
    let common = ["epochs=3", "checkpoints=no", "val=-1"]
    let ended = try NodeRuns.runByHorovod(
      "fit", nodes: 1, devices: 2, options: ["strategy=horovod", "batch=6"] + common)
    for run in ended { try run.succeeded() }
    try expectEqual(try ended[0].metrics.values("train/loss"), try alone(common + ["batch=12"]))
    #expect(ended[0].weightSums == ended[1].weightSums)
  }

  @Test(
    "A stall names the ranks and the tensors that are waited for, after seconds of options or variables",
    arguments: [true, false])
  func stall(_ hasOptions: Bool) throws {
    let run = try ProbeRun(
      "fit", 2,
      options: ["strategy=horovod", "epochs=1", "batch=4", "fault=hang", "rank=1", "at=1"]
        + (hasOptions ? ["notice=0.3", "timeout=3"] : []),
      shell: hasOptions
        ? nil : "export HOROVOD_STALL_CHECK_TIME_SECONDS=0.3 HOROVOD_STALL_SHUTDOWN_TIME_SECONDS=3")
    #expect(run.status == 1)
    let told = run.run.errors
    #expect(told.contains("rank 1 is in code of its own (training batch 2)"), "\(told)")
    #expect(told.contains("rank 0 waits in "))
    #expect(told.contains("fc1.weight"), "\(told)")
  }

  @Test("A variable without sense is told before the first step")
  func badVariable() throws {
    let run = try ProbeRun(
      "fit", 2, "strategy=horovod", "epochs=1", "batch=4", shell: "export HOROVOD_FUSION_THRESHOLD=64MB")
    #expect(run.status == 1 && run.run.output.isEmpty)
    #expect(
      run.failure.hasPrefix("environment variable HOROVOD_FUSION_THRESHOLD is '64MB', which is no number of 0 or more"),
      "\(run.run.errors)")
  }

  // MARK: Digits

  @Test("The digits are learnt: averaged as with ddp, with Adasum, compressed")
  func digits() throws {
    func accuracy(_ strategy: String) throws -> Double {
      try DigitsRun.accuracy(strategy, ["--epochs", "5", "--batch-size", "32"])
    }
    let usual = try accuracy("ddp")
    let own = try accuracy("horovod")
    let compressed = try accuracy("{name: horovod, compression: fp16, fusionThreshold: 4096}")
    let adaptive = try accuracy("{name: horovod, operation: adasum}")
    #expect(usual > 0.85 && adaptive > 0.85)
    #expect(abs(own - usual) < 0.01)
    #expect(abs(compressed - usual) < 0.03)
  }
}

import Foundation
import Testing
import Torch

@Suite("Programs that train with dp")
struct DataParallelRunTests {
  /// Runs of PyTorch in `Tests/Reference/Data/data-parallel.json`.
  private struct Reference: Decodable {
    struct Run: Decodable {
      let replicas: Int
      let batchSize: Int
      let losses: [Double]
      let buffers: [String: ReferenceRun.Summary]
      let finalWeights: [String: ReferenceRun.Summary]

      enum CodingKeys: String, CodingKey {
        case replicas, losses, buffers
        case batchSize = "batch_size"
        case finalWeights = "final_weights"
      }
    }
    let relativeTolerance: Double
    let runs: [String: Run]

    enum CodingKeys: String, CodingKey {
      case runs
      case relativeTolerance = "relative_tolerance"
    }

    init() throws {
      let data = try Data(contentsOf: URL(filePath: Repository.reference("data-parallel.json")))
      self = try JSONDecoder().decode(Reference.self, from: data)
    }
  }

  @Test(
    "digits-cnn: batch normalisation in replicas is that of PyTorch's DataParallel",
    arguments: ["2 replicas, batch 32", "3 replicas, batch 32", "4 replicas, batch 30"])
  func batchNorm(name: String) throws {
    let reference = try Reference()
    let expected = try #require(reference.runs[name])
    let folder = try TemporaryFolder()
    try ProgramRun(
      "digits-cnn",
      [
        "fit", "--weights", Repository.reference("w2.safetensors"), "--output", folder.path, "--progress", "silent",
        "--json", "--strategy", "dp", "--devices", "\(expected.replicas)", "--optimizer", "sgd", "--lr", "0.05",
        "--momentum", "0.9", "--batch-size", "\(expected.batchSize)", "--no-shuffle", "--max-steps", "50",
      ]
    ).succeeded()
    let losses = try MetricsFile("\(folder.path)/metrics.csv").values("train/loss")
    try #require(losses.count == expected.losses.count)
    for (step, (found, loss)) in zip(losses, expected.losses).enumerated() {
      expectClose(found, loss, within: step < 10 ? 1e-5 : reference.relativeTolerance, "loss of step \(step)")
    }
    let summaries = expected.finalWeights.merging(expected.buffers) { $1 }
    for (name, values) in try CheckpointFile("\(folder.path)/last.ckpt").weights()
    where !name.hasSuffix("num_batches_tracked") {
      let summary = try #require(summaries[name])
      let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
      expectClose(norm, summary.l2, within: reference.relativeTolerance, "norm of \(name)")
      for (value, first) in zip(values, summary.first) { #expect(abs(value - first) <= 1e-3, "\(name)") }
    }
  }

  @Test("digits: the losses and validation of PyTorch on the whole batch", arguments: [2, 3])
  func perceptron(replicas: Int) throws {
    let all = try ReferenceRun.File("digits-mlp")
    for name in ["sgd", "sgd-accumulate", "sgd-clip-norm"] {
      guard let expected = all.runs[name] else { continue }
      let folder = try TemporaryFolder()
      var flags = expected.flags(weights: Repository.reference("w1.safetensors"), output: folder.path)
      let strategy = try #require(flags.firstIndex(of: "--strategy"))
      flags[strategy + 1] = "dp"
      flags[strategy + 3] = "\(replicas)"
      try ProgramRun("digits", flags).succeeded()
      let metrics = try MetricsFile("\(folder.path)/metrics.csv")
      let losses = try metrics.values("train/loss")
      try #require(losses.count == expected.losses.count)
      let later = all.relativeToleranceAfterFirstEpoch ?? 1e-4
      for (step, (found, loss)) in zip(losses, expected.losses).enumerated() {
        expectClose(found, loss, within: step < 46 ? 1e-5 : later, "\(name): loss of step \(step)")
      }
      for (found, reference) in zip(try metrics.values("val/accuracy"), expected.validation) {
        #expect(abs((found * 297).rounded() - Double(reference.correct)) <= 1)
        #expect(abs(found * 297 - (found * 297).rounded()) < 1e-9, "exact over the samples")
      }
    }
    #expect(all.runs["sgd"] != nil)
  }

  @Test("byte-gpt: 12 steps in 2 and 3 replicas against one", arguments: [2, 3])
  func languageModel(replicas: Int) throws {
    let weights = try TemporaryFolder()
    try InitialWeights.writeLanguageModel(to: "\(weights.path)/w3.safetensors")
    let losses = try [1, replicas].map { devices in
      let folder = try TemporaryFolder()
      try ProgramRun(
        "byte-gpt",
        [
          "fit", "--weights", "\(weights.path)/w3.safetensors", "--output", folder.path, "--progress", "silent",
          "--json", "--strategy", devices == 1 ? "single_device" : "dp", "--devices", "\(devices)",
          "--batch-size", "4", "--no-shuffle", "--max-steps", "12",
        ]
      ).succeeded()
      return try MetricsFile("\(folder.path)/metrics.csv").values("train/loss")
    }
    #expect(losses[0].count == 12)
    for (step, (found, expected)) in zip(losses[1], losses[0]).enumerated() {
      expectClose(found, expected, within: 1e-4, "loss of step \(step)")
    }
  }

  @Test("The plan says how many replicas there are")
  func plan() throws {
    let run = try ProbeRun("fit", 2, "strategy=dp", "epochs=1").succeeded()
    #expect(
      run.run.errorLines.first
        == "dp on 2 replicas (cpu, 1 thread each), precision 32-true, global batch = loader batch")
  }

  @Test("Dropout: the same numbers in every run, others in every replica and step; resuming goes on with them")
  func dropout() throws {
    let whole = try (0..<3).map { _ in
      try ProbeRun("fit", 3, "strategy=dp", "epochs=2", "batch=6", "dropout=0.5").succeeded()
    }
    #expect(Set(whole.map(\.weightSums)).count == 1)
    #expect(whole[0].weightSums.count == 1)
    let without = try ProbeRun("fit", 3, "strategy=dp", "epochs=2", "batch=6").succeeded()
    #expect(without.weightSums != whole[0].weightSums)
    let half = try ProbeRun("fit", 3, "strategy=dp", "epochs=1", "batch=6", "dropout=0.5").succeeded()
    let rest = try ProbeRun(
      "fit", 3, "strategy=dp", "epochs=2", "batch=6", "dropout=0.5",
      "resume=\(half.folder.path)/checkpoints/last.ckpt"
    ).succeeded()
    #expect(rest.weightSums == whole[0].weightSums)
  }

  @Test("Several stages, and several fits, in one program", arguments: ["stages", "fit-twice"])
  func stages(scenario: String) throws {
    let parted = try ProbeRun(scenario, 2, "strategy=dp", "epochs=1", "val=7").succeeded()
    let alone = try ProbeRun(scenario, 1, "epochs=1", "val=7").succeeded()
    let numbers = { (run: ProbeRun) in
      run.run.outputLines.filter { !$0.contains("weights") }.map { $0.split(separator: " ").map(String.init) }
    }
    #expect(numbers(parted).count == numbers(alone).count)
    for (found, expected) in zip(numbers(parted), numbers(alone)) {
      #expect(found[0] == expected[0])
      if let value = Double(expected[1]) { expectClose(try #require(Double(found[1])), value, within: 1e-5, found[0]) }
    }
  }

  @Test("An error in a replica ends the run, with the replica and the rows")
  func failing() throws {
    let run = try ProbeRun("fit", 2, "strategy=dp", "epochs=1", "fault=throw", "at=1")
    #expect(run.status == 1)
    #expect(run.failure == "replica 0 of 2 (rows 0..<2 of the batch): the user's code fails at batch 1")
  }

  @Test("The hooks of a run are those of one device, but for the steps")
  func hooks() throws {
    let texts = try [1, 2].map { devices in
      let run = try ProbeRun(
        "fit", devices, devices == 1 ? "strategy=single_device" : "strategy=dp", "epochs=1", "hooks"
      ).succeeded()
      return run.folder.text("hooks.0").split(separator: "\n").filter { !$0.contains("Step ") }
    }
    #expect(texts[0].count > 20)
    #expect(texts[1] == texts[0])
  }
}

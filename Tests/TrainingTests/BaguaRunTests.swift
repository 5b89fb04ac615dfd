import Foundation
import Glibc
import Testing
import Torch

@Suite("Programs that train with bagua", .serialized)
struct BaguaRunTests {
  /// - Parameter step: nil for the end of the run.
  private func weights(_ folder: TemporaryFolder, _ number: Int, rank: Int, step: Int?) throws -> Tensor {
    let moment = step.map(String.init) ?? "end"
    let state = try Safetensors.load("\(folder.path)/\(number)/\(rank).\(moment).safetensors")
    return BaguaSimulation.vector(try state.keys.sorted().map { try #require(state[$0]) })
  }

  private func difference(_ first: Tensor, _ second: Tensor) throws -> Double {
    try (first - second).abs().max().scalar()
  }

  @Test(
    "The digits example learns as well as with ddp, to within 1 %",
    arguments: [
      "gradient_allreduce", "bytegrad, hierarchical: false", "decentralized, hierarchical: false",
      "decentralized, hierarchical: false, peer_selection_mode: shift_one",
      "low_precision_decentralized, hierarchical: false", "async, sync_interval_ms: 20, warmup_steps: 100",
    ])
  func digits(_ algorithm: String) throws {
    let accuracy = try Self.accuracy("{name: bagua, algorithm: \(algorithm)}")
    let usual = try Self.usual.get()
    #expect(accuracy > 0.88 && accuracy >= usual - 0.01, "\(accuracy), ddp: \(usual)")
  }

  private static let usual = Result { try accuracy("ddp") }

  private static func accuracy(_ strategy: String) throws -> Double {
    // Without a schedule the noise of the last steps, larger where each rank steps by its own gradient, decides.
    try DigitsRun.accuracy(strategy, ["--epochs", "20", "--batch-size", "16", "--schedule", "cosine"])
  }

  @Test("qadam learns the digits as well as ddp under Adam, and async as under SGD where the clock does not matter")
  func otherDigits() throws {
    let configurations = [
      "ddp",
      // Averaged only before the validation at the end of each epoch.
      "async,sync_interval_ms=1000000,warmup_steps=20",
      // In its warm-up QAdam is Adam.
      "ddp,optimizer=qadam,warmup=100000", "qadam,hierarchical=false,optimizer=qadam,warmup=100",
    ]
    let run = try ProbeRun(
      "bagua", 2,
      options: ["digits=\(Repository.root)/Examples/digits/Data/digits.csv.gz"]
        + configurations.enumerated().map { "\($0.offset)=\($0.element),steps=920" }
    ).succeeded()
    let accuracies = run.run.outputLines.filter { $0.hasPrefix("accuracy ") }.compactMap { Double($0.dropFirst(9)) }
    try #require(accuracies.count == configurations.count, "\(run.run.output)")
    for (number, configuration) in configurations.enumerated() {
      let expected = accuracies[number / 2 * 2]
      #expect(accuracies[number] > 0.88)
      #expect(accuracies[number] >= expected - 0.01, "\(configuration): \(accuracies[number]), ddp: \(expected)")
    }
  }

  @Test(
    "Accumulated gradients, clipping, a layer that one rank does not use, momentum, and mixed precision, as with ddp")
  func options() throws {
    let common = ["accumulate=2,steps=6", "clip=0.1", "momentum=0.9", "precision=bf16-mixed"]
    let algorithms = ["ddp", "gradient_allreduce,bucket=0.00005", "gradient_allreduce,flatten=false"]
    let configurations =
      common.flatMap { option in algorithms.map { "\($0),\(option)" } } + ["gradient_allreduce,unused"]
    let run = try ProbeRun(
      "bagua", 2, options: configurations.enumerated().map { "\($0.offset)=\($0.element)" }
    ).succeeded()
    for index in common.indices {
      let expected = try weights(run.folder, 3 * index, rank: 0, step: 6)
      for number in [3 * index + 1, 3 * index + 2] {
        for rank in 0..<2 {
          let distance = try difference(weights(run.folder, number, rank: rank, step: 6), expected)
          #expect(distance < 1e-6, "\(configurations[number]) on rank \(rank): \(distance)")
        }
      }
    }
    let unused = 3 * common.count
    let first = try weights(run.folder, unused, rank: 0, step: 6)
    #expect(try difference(first, weights(run.folder, unused, rank: 1, step: 6)) == 0)
    let before = try Safetensors.load("\(run.folder.path)/\(unused)/1.0.safetensors")
    let after = try Safetensors.load("\(run.folder.path)/\(unused)/1.6.safetensors")
    #expect(try difference(#require(before["extra.weight"]), #require(after["extra.weight"])) > 1e-3)
  }

  @Test("Compressed algorithms accumulate and clip like others, and ranks stay equal")
  func compressed() throws {
    let configurations = [
      "bytegrad,hierarchical=false,accumulate=2,clip=0.1,momentum=0.9",
      "qadam,hierarchical=false,optimizer=qadam,warmup=1,accumulate=2,clip=0.01",
    ]
    let run = try ProbeRun("bagua", 2, options: configurations.enumerated().map { "\($0.offset)=\($0.element)" })
      .succeeded()
    for number in configurations.indices {
      let first = try weights(run.folder, number, rank: 0, step: 6)
      #expect(try difference(first, weights(run.folder, number, rank: 1, step: 6)) == 0)
      #expect(try difference(first, weights(run.folder, number, rank: 0, step: 0)) > 1e-3)
    }
  }

  @Test("A resumed run ends with the weights of one that was not interrupted, to the bit")
  func resume() throws {
    let base = [
      "bytegrad,hierarchical=false,momentum=0.9", "qadam,hierarchical=false,optimizer=qadam,warmup=2",
      "gradient_allreduce,momentum=0.9",
    ]
    let configurations = base.enumerated().flatMap { number, text in
      [text, "\(text),steps=4,save=\(number).ckpt", "\(text),resume=\(number).ckpt"]
    }
    let run = try ProbeRun("bagua", 2, options: configurations.enumerated().map { "\($0.offset)=\($0.element)" })
      .succeeded()
    for number in base.indices {
      let whole = try weights(run.folder, 3 * number, rank: 1, step: 6)
      #expect(try difference(whole, weights(run.folder, 3 * number + 2, rank: 1, step: 6)) == 0, "\(base[number])")
    }
  }

  @Test("Averaging in the background keeps the sum of the weights, and all ranks end with their mean")
  func asynchronous() throws {
    let run = try ProbeRun(
      "bagua", 2, "0=async,sync_interval_ms=10,model=straight,steps=30,validation",
      "1=async,sync_interval_ms=100000,model=straight,steps=30,save=mean.ckpt"
    ).succeeded()
    let counts = run.run.outputLines.compactMap { line in
      line.contains("averagings") ? line.split(separator: " ").last.flatMap { Int($0) } : nil
    }
    #expect(counts.count == 4 && counts.filter { $0 > 0 }.count == 2, "\(run.run.output)")
    let start = try weights(run.folder, 0, rank: 0, step: 0)
    for number in 0...1 {
      let ends = try (0..<2).map { try weights(run.folder, number, rank: $0, step: nil) }
      // Rank 0 has the gradient 1 and rank 1 the gradient 2, whatever the weights.
      let drift = (ends[0] + ends[1]) - (start * 2 - Scalar(0.1 * 30 * 3))
      #expect(try drift.abs().max().scalar() < 1e-4)
      #expect(try difference(ends[0], ends[1]) == 0)
    }
    // Saved before the end of the fit, it is the mean already.
    let saved = try CheckpointFile("\(run.folder.path)/mean.ckpt").weights().sorted { $0.name < $1.name }
    let vector = BaguaSimulation.vector(saved.map { Tensor($0.values.map { Float($0) }) })
    #expect(try difference(vector, weights(run.folder, 1, rank: 1, step: nil)) == 0)
    #expect(run.run.outputLines.filter { $0.contains("threads") }.allSatisfy { $0.hasSuffix(": 0 threads") })
  }

  @Test(
    "A rank that fails ends the run, whatever goes on in the background",
    arguments: [
      "async,sync_interval_ms=5", "gradient_allreduce", "decentralized,hierarchical=false",
    ], [0, 1])
  func failure(algorithm: String, rank: Int) throws {
    let run = try ProbeRun("bagua", 2, "0=\(algorithm),fault=3,rank=\(rank)")
    #expect(run.status == 1)
    #expect(run.failure.contains("the user's code fails on rank \(rank)"), "\(run.run.errors)")
  }

  @Test("What cannot work is told before the first step")
  func badInput() throws {
    func failure(_ devices: Int, _ configuration: String) throws -> String {
      let run = try ProbeRun("bagua", devices, "0=\(configuration)")
      #expect(run.status == 1)
      #expect(!FileManager.default.fileExists(atPath: "\(run.folder.path)/0/0.1.safetensors"))
      return run.failure
    }
    #expect(
      try failure(3, "decentralized,hierarchical=false,peer_selection_mode=shift_one").contains("but there are 3"))
    #expect(try failure(2, "async,flatten=false").hasPrefix("algorithm 'async' works on flat weights"))
    #expect(
      try failure(1, "qadam").hasPrefix(
        "algorithm 'qadam' averages the moments of one QAdam optimizer, but BaguaModel has SGD; return OptimizerPlan("))
    #expect(
      try failure(1, "bytegrad,precision=64-true").hasPrefix(
        "bytegrad compresses float32 and float16, but parameter 'fc1.weight' and 3 more is float64"))
    #expect(
      try failure(1, "low_precision_decentralized,optimizer=partial").contains(
        "but no optimizer has 'fc2.weight', 'fc2.bias'"))
    let size = try ProbeRun("bagua", 2, "0=gradient_allreduce", shell: "export BAGUA_DEFAULT_BUCKET_SIZE=big")
    #expect(size.failure.hasPrefix("environment variable BAGUA_DEFAULT_BUCKET_SIZE is 'big'"))
    let different = try failure(2, "gradient_allreduce,model=wider")
    #expect(
      different.contains(
        "rank 0 has parameter 'fc1.weight' [6, 4] float32 where rank 1 has parameter 'fc1.weight' [7, 4]"),
      "\(different)")
    let frozen = try failure(2, "decentralized,model=frozen")
    #expect(frozen.contains("rank 1 has parameter 'fc2.bias' [3] float32 (frozen)"), "\(frozen)")
  }
}

import Foundation
import Testing

@Suite("The order of samples")
struct SampleOrderTests {
  private func samples(_ ranks: Int, _ options: [String]) throws -> [[[Int]]] {
    let run = try LoopRun("loops", ranks, options: ["epochs=2", "samples", "shuffle", "val=-1"] + options).succeeded()
    return try (0..<ranks).map { try run.samples($0) }
  }

  @Test("The trainer's seed decides the order", arguments: [1, 2])
  func seeded(ranks: Int) throws {
    let first = try samples(ranks, ["seed=7"])
    #expect(try samples(ranks, ["seed=7"]) == first)
    #expect(try samples(ranks, ["seed=8"]) != first)
    // Large seeds are seeds like others.
    let large = try samples(ranks, ["seed=18446744073709551615"])
    #expect(large != first)
    #expect(try samples(ranks, ["seed=18446744073709551614"]) != large)
  }

  @Test("Without a seed every run has an order of its own; ranks share it", arguments: [1, 2])
  func unseeded(ranks: Int) throws {
    let first = try samples(ranks, [])
    #expect(try samples(ranks, []) != first)
    for epoch in [0, 1] {
      let batches = first.flatMap { $0[epoch * $0.count / 2..<(epoch + 1) * $0.count / 2] }
      #expect(batches.flatMap { $0 }.sorted() == Array(0..<24))
    }
    // Each epoch has another order.
    #expect(first[0].prefix(first[0].count / 2) != first[0].suffix(first[0].count / 2))
  }

  @Test("A loader's own seed comes first")
  func ownSeed() throws {
    let order = try samples(1, ["shuffle=11", "seed=7"])
    #expect(try samples(1, ["shuffle=11", "seed=8"]) == order)
    #expect(try samples(1, ["shuffle=11"]) == order)
  }

  @Test(
    "A resumed run goes on in the order that was drawn",
    arguments: [("", 1), ("", 2), ("seed=18446744073709551615", 1)])
  func resuming(seed: String, ranks: Int) throws {
    let options = ["samples", "shuffle", "val=-1"] + (seed.isEmpty ? [] : [seed])
    let first = try LoopRun("loops", ranks, options: options + ["steps=2", "checkpoints=yes"]).succeeded()
    let run = try LoopRun(
      "loops", ranks, options: options + ["epochs=1", "resume=\(first.path)/checkpoints/last.ckpt"]
    ).succeeded()
    // Together they see every sample once.
    let seen = try (0..<ranks).flatMap { try first.samples($0).prefix(2) + run.samples($0) }
    #expect(seen.flatMap { $0 }.sorted() == Array(0..<24))
  }

  @Test("Without a distributed sampler every rank uses its loaders as they are")
  func ownLoaders() throws {
    let each = try samples(2, ["sampler=no", "seed=7"])
    #expect(each[0] == each[1])
    #expect(each[0].count == 12)
    #expect(each[0].prefix(6).flatMap { $0 }.sorted() == Array(0..<24))
  }
}

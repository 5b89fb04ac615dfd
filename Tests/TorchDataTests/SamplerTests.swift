import Foundation
import Testing
import Torch
import TorchData

/// What `Tests/Reference/randperm.py` wrote of `DistributedSampler`.
struct SamplerReference: Decodable, Sendable {
  struct Case: Decodable, Sendable, CustomTestStringConvertible {
    let n: Int
    let world: Int
    let rank: Int
    let shuffle: Bool
    let seed: UInt64
    let epoch: Int
    let dropLast: Bool
    let count: Int
    let values: [Int]?
    let first: [Int]?
    let last: [Int]?

    var testDescription: String { "n \(n), rank \(rank) of \(world)" }
  }

  let distributedSamplers: [Case]

  static let cases: [Case] = {
    let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Reference/Data/randperm.json")
    do {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      return try decoder.decode(SamplerReference.self, from: Data(contentsOf: path)).distributedSamplers
    } catch {
      preconditionFailure("randperm.json: \(error)")
    }
  }()
}

struct SamplerTests {
  @Test(arguments: SamplerReference.cases)
  func `the distributed sampler draws PyTorch's indices`(_ expected: SamplerReference.Case) throws {
    let sampler = DistributedSampler(
      count: expected.n, worldSize: expected.world, rank: expected.rank, shuffle: expected.shuffle, seed: expected.seed,
      dropLast: expected.dropLast)
    let indices = try sampler.indices(epoch: expected.epoch)
    #expect(sampler.count == expected.count)
    #expect(indices.count == expected.count)
    if let values = expected.values {
      #expect(indices == values)
    } else {
      #expect(Array(indices.prefix(16)) == expected.first)
      #expect(Array(indices.suffix(4)) == expected.last)
    }
  }

  @Test(arguments: 1...8)
  func `every sample comes exactly once when nothing is repeated`(_ worldSize: Int) throws {
    for count in 0..<40 {
      let ranks = try (0..<worldSize).map {
        let sampler = UnrepeatedSampler(count: count, worldSize: worldSize, rank: $0)
        let indices = try sampler.indices(epoch: 0)
        #expect(indices.count == sampler.count)
        return indices
      }
      #expect(ranks.flatMap(\.self).sorted() == Array(0..<count), "\(count) samples")
    }
  }

  @Test(arguments: 1...8)
  func `padded ranks have equal numbers and miss nothing, dropped ones repeat nothing`(_ worldSize: Int) throws {
    for count in 1..<40 {
      let base = RandomSampler(count: count, seed: 3)
      for policy in [Shard.Policy.padded, .dropped] {
        let ranks = try (0..<worldSize).map {
          try ShardedSampler(base, shard: Shard(rank: $0, of: worldSize, policy: policy)).indices(epoch: 2)
        }
        let all = ranks.flatMap(\.self)
        #expect(Set(ranks.map(\.count)).count == 1)
        if policy == .padded {
          #expect(Set(all) == Set(0..<count))
          #expect(all.count - count < worldSize)
        } else {
          #expect(Set(all).count == all.count)
          #expect(count - all.count < worldSize)
        }
      }
    }
  }

  @Test func `an epoch is the same each time, another epoch is not`() throws {
    let sampler = RandomSampler(count: 100, seed: 5)
    #expect(try sampler.indices(epoch: 1) == sampler.indices(epoch: 1))
    #expect(try sampler.indices(epoch: 1) != sampler.indices(epoch: 2))
    #expect(try sampler.indices(epoch: 1) == RandomSampler(count: 100, seed: 6).indices(epoch: 0))
    #expect(try sampler.indices(epoch: 0).sorted() == Array(0..<100))
  }

  @Test func `weights decide what is drawn`() throws {
    let sampler = WeightedRandomSampler(weights: [0, 3, 0, 1], count: 4000, seed: 1)
    let indices = try sampler.indices(epoch: 0)
    #expect(Set(indices) == [1, 3])
    #expect((2800...3200).contains(indices.count { $0 == 1 }))
    #expect(try sampler.indices(epoch: 0) == indices)
    #expect(throws: TorchError.self) {
      try WeightedRandomSampler(weights: [1, 1], count: 3, replacement: false).indices(epoch: 0)
    }
  }

  @Test func `a weighted sampler is drawn first, then dealt out`() throws {
    let base = WeightedRandomSampler(weights: [1, 2, 3], count: 7, seed: 4)
    let whole = try base.indices(epoch: 3)
    let ranks = try (0..<2).map {
      try ShardedSampler(base, shard: Shard(rank: $0, of: 2, policy: .unrepeated)).indices(epoch: 3)
    }
    #expect(ranks[0] == stride(from: 0, to: 7, by: 2).map { whole[$0] })
    #expect(ranks[1] == stride(from: 1, to: 7, by: 2).map { whole[$0] })
  }
}

import Testing
import Torch
import TorchData

struct DataLoaderTests {
  private func indices(of loader: DataLoader<[Int]>, epoch: Int = 0, from start: Int = 0) throws -> [[Int]] {
    let iterator = loader.iterator(epoch: epoch, startingAt: start)
    var batches: [[Int]] = []
    while let loaded = try iterator.next() {
      #expect(loaded.batch == loaded.indices)
      #expect(loaded.index == start + batches.count)
      batches.append(loaded.batch)
    }
    #expect(try iterator.next() == nil)
    return batches
  }

  @Test(arguments: [0, 1, 3], [1, 2, 5])
  func `the order does not depend on threads and prefetching`(_ threads: Int, _ prefetch: Int) throws {
    let loader = DataLoader(0..<103, batchSize: 4, shuffle: true, seed: 9, prefetch: prefetch, threads: threads) { $0 }
    #expect(loader.batchCount == 26)
    #expect(loader.sampleCount == 103)
    for epoch in 0..<3 {
      let order = try RandomSampler(count: 103, seed: 9).indices(epoch: epoch)
      let expected = stride(from: 0, to: 103, by: 4).map { Array(order[$0..<min($0 + 4, 103)]) }
      #expect(try indices(of: loader, epoch: epoch) == expected)
    }
  }

  @Test(arguments: [0, 2])
  func `starting in the middle equals leaving out, and loads nothing before`(_ threads: Int) throws {
    let loads = Counter()
    let loader = DataLoader(0..<50, batchSize: 7, shuffle: true, threads: threads) { batch in
      loads.increment()
      return batch
    }
    let whole = try indices(of: loader, epoch: 4)
    #expect(whole.count == 8)
    for start in 0...10 {
      loads.reset()
      #expect(try indices(of: loader, epoch: 4, from: start) == Array(whole.dropFirst(start)))
      #expect(loads.value == max(0, 8 - start))
    }
  }

  @Test func `a short last batch is kept or left out`() throws {
    let kept = DataLoader(0..<10, batchSize: 4) { $0 }
    #expect(try indices(of: kept) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])
    let dropped = DataLoader(0..<10, batchSize: 4, dropLast: true) { $0 }
    #expect(dropped.batchCount == 2)
    #expect(dropped.sampleCount == 8)
    #expect(try indices(of: dropped) == [[0, 1, 2, 3], [4, 5, 6, 7]])
    #expect(try indices(of: DataLoader(0..<0, batchSize: 4) { $0 }).isEmpty)
    #expect(try indices(of: DataLoader(0..<3, batchSize: 4, dropLast: true) { $0 }).isEmpty)
  }

  @Test func `only datasets in memory are loaded on the calling thread by default`() {
    #expect(DataLoader(TensorDataset(Tensor.zeros([4])), batchSize: 2).threads == 0)
    #expect(DataLoader(TensorDataset(Tensor.zeros([4])).map { $0[0] }, batchSize: 2).threads == 0)
    #expect(DataLoader(TensorDataset(Tensor.zeros([4])), batchSize: 2, threads: 2).threads == 2)
    #expect(DataLoader(0..<4, batchSize: 2) { $0 }.threads == 1)
  }

  @Test func `sequential batches of tensors are views`() throws {
    let rows = Tensor((0..<20).map(Float.init), shape: [10, 2])
    let iterator = DataLoader(TensorDataset(rows), batchSize: 4).iterator(epoch: 0)
    while let loaded = try iterator.next() { #expect(loaded.batch[0].storageIdentifier == rows.storageIdentifier) }
  }

  @Test(arguments: 1...5, Shard.Policy.allCases)
  func `ranks share an epoch out`(_ worldSize: Int, _ policy: Shard.Policy) throws {
    let loader = DataLoader(0..<23, batchSize: 4, shuffle: true, seed: 2, threads: 0) { $0 }
    let ranks = (0..<worldSize).map { loader.distributed(worldSize: worldSize, rank: $0, policy: policy) }
    let samples = try ranks.flatMap { try indices(of: $0, epoch: 1).flatMap(\.self) }
    switch policy {
    case .unrepeated: #expect(samples.sorted() == Array(0..<23))
    case .padded: #expect(Set(samples) == Set(0..<23) && samples.count == (23 + worldSize - 1) / worldSize * worldSize)
    case .dropped: #expect(Set(samples).count == samples.count && samples.count == 23 / worldSize * worldSize)
    }
    #expect(ranks.map(\.sampleCount).reduce(0, +) == samples.count)
    #expect(ranks.allSatisfy { $0.shard?.worldSize == worldSize && $0.datasetCount == 23 })
  }

  @Test func `a loader that is sharded already is not sharded twice`() {
    let sampler = DistributedSampler(count: 10, worldSize: 2, rank: 1)
    let loader = DataLoader(0..<10, batchSize: 2, sampler: sampler) { $0 }
    #expect(loader.shard == Shard(rank: 1, of: 2, policy: .padded))
    #expect(loader.distributed(worldSize: 2, rank: 0, policy: .padded) === loader)
    let erased: AnyDataLoader = DataLoader(0..<10, batchSize: 2) { $0 }
    #expect(erased.shard == nil)
    #expect(erased.distributed(worldSize: 5, rank: 0, policy: .padded).sampleCount == 2)
  }

  @Test func `batches come without their type too`() throws {
    let loader: AnyDataLoader = DataLoader(0..<3, batchSize: 2, threads: 1) { $0 }
    let iterator = loader.anyIterator(epoch: 0, startingAt: 1)
    #expect(try iterator.nextAny()?.batch as? [Int] == [2])
    #expect(try iterator.nextAny() == nil)
  }

  @Test func `arguments out of range are errors`() throws {
    let size = try #require(throws: TorchError.self) {
      try withErrorScope { _ = DataLoader(0..<3, batchSize: 0) { $0 } }
    }
    #expect(size.message == "batchSize is 0; give a number of samples that is at least 1")
    let both = try #require(throws: TorchError.self) {
      try withErrorScope {
        _ = DataLoader(0..<3, batchSize: 1, shuffle: true, sampler: SequentialSampler(count: 3)) { $0 }
      }
    }
    #expect(both.message.contains("exclude each other"))
  }
}

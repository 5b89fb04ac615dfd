import Foundation
import Testing
import Torch
import TorchData

/// Threads: errors, limits and endings.
struct PrefetchTests {
  struct Broken: Error, CustomStringConvertible {
    let sample: Int
    var description: String { "sample \(sample) is unreadable" }
  }

  @Test(arguments: [0, 1, 4])
  func `an error surfaces at the place of its batch and is never the end of data`(_ threads: Int) throws {
    let loader = DataLoader(0..<40, batchSize: 4, threads: threads) { batch in
      if let sample = batch.first(where: { $0 == 14 }) { throw Broken(sample: sample) }
      return batch
    }
    let iterator = loader.iterator(epoch: 6)
    for index in 0..<3 { #expect(try iterator.next()?.index == index) }
    for _ in 0..<3 {
      let error = try #require(throws: DataLoadingError.self) { try iterator.next() }
      #expect(error.batch == 3)
      #expect(error.indices == [12, 13, 14, 15])
      #expect((error.underlying as? Broken)?.sample == 14)
      #expect(error.description == "loading batch 3 of epoch 6 (samples 12...15) failed: sample 14 is unreadable")
    }
    let beyond = loader.iterator(epoch: 6, startingAt: 4)
    #expect(try beyond.next()?.indices == [16, 17, 18, 19])
  }

  @Test func `nothing is loaded after a failure`() throws {
    let loads = Counter()
    do {
      let loader = DataLoader(0..<10, batchSize: 1, prefetch: 4, threads: 1) { batch -> [Int] in
        loads.increment()
        throw Broken(sample: batch[0])
      }
      let iterator = loader.iterator(epoch: 0)
      #expect(throws: DataLoadingError.self) { try iterator.next() }
    }
    #expect(loads.value == 1)
  }

  @Test(arguments: [0, 2])
  func `a failed tensor operation is an error of its batch`(_ threads: Int) throws {
    let loader = DataLoader(0..<6, batchSize: 2, threads: threads) { batch in
      Tensor.zeros([batch[0] == 2 ? 3 : 2]) + Tensor.zeros([2])
    }
    let iterator = loader.iterator(epoch: 0)
    #expect(try iterator.next()?.batch.shape == [2])
    let error = try #require(throws: DataLoadingError.self) { try iterator.next() }
    #expect(error.batch == 1)
    #expect((error.underlying as? TorchError)?.operation == "add")
  }

  @Test(arguments: [0, 1])
  func `an index that the dataset lacks is named`(_ threads: Int) throws {
    let loader = DataLoader(0..<5, batchSize: 2, sampler: SequentialSampler(count: 8), threads: threads) { $0 }
    let iterator = loader.iterator(epoch: 0)
    _ = try iterator.next()
    _ = try iterator.next()
    let error = try #require(throws: DataLoadingError.self) { try iterator.next() }
    let index = try #require(error.underlying as? SampleIndexError)
    #expect(index.index == 5)
    #expect(index.description.hasPrefix("the sampler drew index 5, the dataset has 5 samples (0..<5)"))
  }

  @Test func `a sampler that fails is an error, not an empty epoch`() throws {
    let sampler = WeightedRandomSampler(weights: [0, 0], count: 2)
    let iterator = DataLoader(0..<2, batchSize: 1, sampler: sampler) { $0 }.iterator(epoch: 0)
    let error = try #require(throws: DataLoadingError.self) { try iterator.next() }
    #expect(error.underlying is TorchError)
  }

  @Test(.timeLimit(.minutes(15)), arguments: [1, 3], [1, 4])
  func `no more is loaded ahead than asked for`(_ threads: Int, _ prefetch: Int) throws {
    let loads = Counter()
    let taken = Counter()
    let ahead = max(threads, prefetch)
    let tooFar = Counter()
    let loader = DataLoader(0..<60, batchSize: 1, prefetch: prefetch, threads: threads) { batch in
      if loads.increment() > taken.value + ahead { tooFar.increment() }
      return batch
    }
    let iterator = loader.iterator(epoch: 0)
    for count in 0..<60 {
      // The threads fill the queue as far as they may before the next batch is taken.
      while loads.value < min(count + ahead, 60) { usleep(50) }
      taken.increment()
      _ = try iterator.next()
    }
    #expect(loads.value == 60)
    #expect(tooFar.value == 0)
  }

  @Test(.timeLimit(.minutes(15))) func `threads load at the same time`() throws {
    // Each of the first three batches waits until three are being loaded: fewer threads would never get further.
    let running = Counter()
    let loader = DataLoader(0..<9, batchSize: 1, prefetch: 3, threads: 3) { batch in
      running.increment()
      if batch[0] < 3 { while running.value < 3 { usleep(50) } }
      return batch
    }
    let iterator = loader.iterator(epoch: 0)
    var samples: [Int] = []
    while let loaded = try iterator.next() { samples += loaded.batch }
    #expect(samples == Array(0..<9))
  }

  @Test func `threads use one core each and record nothing for backward`() throws {
    let loader = DataLoader(0..<4, batchSize: 1, threads: 2) { _ in
      (TorchRuntime.threadCount, isGradientEnabled)
    }
    let iterator = loader.iterator(epoch: 0)
    while let loaded = try iterator.next() {
      #expect(loaded.batch.0 == 1)
      #expect(loaded.batch.1 == false)
    }
  }

  final class Token: Sendable {}

  @Test(arguments: [1, 3])
  func `letting go of an iterator ends its threads`(_ threads: Int) throws {
    weak var token: Token?
    let loads = Counter()
    do {
      let held = Token()
      token = held
      let loader = DataLoader(0..<10_000, batchSize: 1, prefetch: 4, threads: threads) { [held] batch in
        loads.increment()
        return (batch, held)
      }
      for start in [0, 5] {
        let iterator = loader.iterator(epoch: 0, startingAt: start)
        _ = try iterator.next()
      }
      let unused = loader.iterator(epoch: 0)
      withExtendedLifetime(unused) {}
    }
    // The threads are joined: nothing holds the dataset any more, and nothing loads.
    #expect(token == nil)
    let count = loads.value
    usleep(2000)
    #expect(loads.value == count)
    #expect(count < 10_000)
  }
}

import Foundation
import Synchronization
import Testing
import Torch
import TorchDistributed
import TorchNN

@testable import Stratagem

/// Ranks are threads of this process.
@Suite("The thread that averages weights in the background")
struct ModelAveragerTests {
  private final class Rank: @unchecked Sendable {
    let weights: Parameter<Tensor>
    let averager: ModelAverager

    init(_ group: ProcessGroup, _ values: [Float], seconds: Double) {
      weights = Parameter(wrappedValue: Tensor(values))
      let bucket = BaguaBucket([BaguaParameter("weights", weights)], alignment: 1, isPersistent: true)
      averager = ModelAverager(group, [bucket], seconds: seconds, timeout: 30)
    }

    var values: [Float] {
      get throws {
        averager.lock.lockForTraining()
        defer { averager.lock.unlockForTraining() }
        return try weights.tensor.detached().array(as: Float.self)
      }
    }
  }

  /// Joins `size` ranks, each on a thread of its own.
  private func join(_ values: [[Float]], seconds: Double) throws -> [Rank] {
    let store = UnsafeTransfer(try Store.server())
    let size = values.count
    let made = Mutex([Int: Result<Rank, any Error>]())
    let threads = (0..<size).map { rank in
      let thread = Thread {
        let result = Result<Rank, any Error> {
          let client = try Store.client(host: "127.0.0.1", port: store.value.port)
          let group = try ProcessGroup.gloo(store: client, rank: rank, size: size, timeout: 20, address: "127.0.0.1")
          return Rank(group, values[rank], seconds: seconds)
        }
        made.withLock { $0[rank] = result }
      }
      thread.start()
      return thread
    }
    while threads.contains(where: { !$0.isFinished }) { usleep(1000) }
    return try (0..<size).map { rank in try #require(made.withLock { $0[rank] }).get() }
  }

  /// Runs `body` for all ranks at once.
  private func together(_ ranks: [Rank], _ body: @escaping @Sendable (Rank) throws -> Void) throws {
    let errors = Mutex([any Error]())
    let threads = ranks.map { rank in
      let thread = Thread {
        do { try body(rank) } catch { errors.withLock { $0.append(error) } }
      }
      thread.start()
      return thread
    }
    while threads.contains(where: { !$0.isFinished }) { usleep(1000) }
    if let first = errors.withLock({ $0.first }) { throw first }
  }

  private func wait(for condition: () throws -> Bool) throws {
    let deadline = Date(timeIntervalSinceNow: 30)
    while try !condition(), Date() < deadline { usleep(2000) }
    let isTrue = try condition()
    #expect(isTrue)
  }

  @Test("weights become the mean; what training changes meanwhile stays; all threads end together")
  func averages() throws {
    let ranks = try join([[1, 2], [3, 6], [5, -2]], seconds: 0.01)
    for rank in ranks { try rank.averager.start() }
    try wait { ranks.allSatisfy { $0.averager.count > 1 } }
    for rank in ranks { #expect(try rank.values == [3, 2]) }
    // A change on one rank reaches all of them, and the sum over the ranks does not change.
    ranks[0].averager.lock.lockForTraining()
    withoutGradients { ranks[0].weights.tensor.detached().add(3) }
    ranks[0].averager.lock.unlockForTraining()
    func isMean(_ values: [Float]) -> Bool { abs(values[0] - 4) < 1e-4 && abs(values[1] - 3) < 1e-4 }
    try wait { try ranks.allSatisfy { isMean(try $0.values) } }
    try together(ranks) { try $0.averager.abort() }
    #expect(Set(ranks.map { $0.averager.count }).count == 1)
    #expect(try Set(ranks.map { try $0.values }).count == 1, "all end with the same weights, to the bit")
    #expect(ranks.allSatisfy { !$0.averager.isRunning })
    // And again.
    let before = ranks[0].averager.count
    for rank in ranks { try rank.averager.start() }
    try wait { ranks.allSatisfy { $0.averager.count > before } }
    try together(ranks) { try $0.averager.abort() }
  }

  @Test("the end is a mean, also where the interval never comes")
  func ends() throws {
    let ranks = try join([[1, 2], [3, 6], [5, -2]], seconds: 1000)
    for rank in ranks { try rank.averager.start() }
    try together(ranks) { try $0.averager.abort() }
    for rank in ranks { #expect(try rank.values == [3, 2] && rank.averager.count == 0) }
  }

  @Test("a rank that wants to stop goes on until all want to")
  func negotiates() throws {
    let ranks = try join([[0], [2]], seconds: 0.01)
    for rank in ranks { try rank.averager.start() }
    let first = ranks[0]
    let thread = Thread { try? first.averager.abort() }
    thread.start()
    let count = ranks[1].averager.count
    try wait { ranks[1].averager.count > count + 2 }
    #expect(!thread.isFinished)
    try ranks[1].averager.abort()
    while !thread.isFinished { usleep(1000) }
    #expect(try ranks[0].values == [1] && ranks[0].averager.count == ranks[1].averager.count)
  }

  @Test("while training has the lock, weights stay as they are; averaging is served next")
  func locks() throws {
    let ranks = try join([[0], [2]], seconds: 0.001)
    ranks[0].averager.lock.lockForTraining()
    for rank in ranks { try rank.averager.start() }
    usleep(50_000)
    #expect(try ranks[0].weights.tensor.detached().array(as: Float.self) == [0])
    #expect(ranks[0].averager.count == 0)
    ranks[0].averager.lock.unlockForTraining()
    // Without giving way, training would take the lock again before anyone else.
    var turns = 0
    let deadline = Date(timeIntervalSinceNow: 30)
    while ranks[0].averager.count < 3, Date() < deadline {
      ranks[0].averager.lock.lockForTraining()
      turns += 1
      ranks[0].averager.lock.unlockForTraining()
    }
    #expect(ranks[0].averager.count >= 3 && turns > 0)
    try together(ranks) { try $0.averager.abort() }
  }

  @Test("a rank that is cancelled ends alone, and the others learn that it is gone")
  func cancels() throws {
    var ranks = try join([[0], [2]], seconds: 0.01)
    for rank in ranks { try rank.averager.start() }
    try wait { ranks[1].averager.count > 0 }
    ranks[0].averager.lock.lockForTraining()
    ranks[0].averager.cancel()
    #expect(!ranks[0].averager.isRunning)
    let left = ranks[1]
    ranks = []
    try wait {
      do {
        try left.averager.check()
        return false
      } catch { return true }
    }
    #expect(throws: (any Error).self) { try left.averager.abort() }
  }
}

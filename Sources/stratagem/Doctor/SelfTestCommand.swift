internal import ArgumentParser
internal import Foundation
internal import Stratagem
internal import Torch
internal import TorchDistributed

/// One of the processes of the doctor's self-test.
struct SelfTestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "self-test", shouldDisplay: false)

  private struct Wrong: Error, CustomStringConvertible {
    let description: String
  }

  func run() throws {
    let environment = ClusterEnvironments.processVariables
    func number(_ name: String) throws -> Int {
      guard let value = environment[name].flatMap({ Int($0) }) else { throw Wrong(description: "\(name) is not set") }
      return value
    }
    let (rank, size) = (try number("RANK"), try number("WORLD_SIZE"))
    let store = try Store.client(host: "127.0.0.1", port: try number("MASTER_PORT"), timeout: 20)
    let start = ContinuousClock.now
    let group = try ProcessGroup.gloo(store: store, rank: rank, size: size, timeout: 20, address: "127.0.0.1")
    let joined = seconds(since: start)
    try check(group)
    let small = try time(200) { try group.allReduce(Tensor.ones([1])) }
    let large = Tensor.ones([4_000_000])
    let big = try time(5) { try group.allReduce(large, by: .maximum) }
    try group.barrier()
    guard rank == 0 else { return }
    print(
      String(
        format: "all-reduce, broadcast, all-gather and barrier are right on %d processes that met in %.0f ms; "
          + "an all-reduce takes %.0f us, one of 16 MB %.1f ms", size, joined * 1e3, small * 1e6, big * 1e3))
  }

  /// Compares the results of collectives with what they have to be.
  private func check(_ group: ProcessGroup) throws {
    let (rank, size) = (group.rank, group.size)
    func expect(_ what: String, _ found: [Double], _ expected: [Double]) throws {
      guard found == expected else { throw Wrong(description: "\(what) gives \(found) and not \(expected)") }
    }
    let sum = Tensor([Double(rank + 1), 2])
    try group.allReduce(sum)
    try expect("all-reduce", sum.array(as: Double.self), [Double(size * (size + 1) / 2), Double(2 * size)])
    let given = Tensor([Double(rank + 5)])
    try group.broadcast(given, from: size - 1)
    try expect("broadcast", given.array(as: Double.self), [Double(size + 4)])
    let all = try group.allGather(Tensor([Double(rank)])).flatMap { try $0.array(as: Double.self) }
    try expect("all-gather", all, (0..<size).map(Double.init))
    try group.barrier()
  }

  /// The seconds that a call takes on average.
  private func time(_ count: Int, _ body: () throws -> Void) throws -> Double {
    try body()
    let start = ContinuousClock.now
    for _ in 0..<count { try body() }
    return seconds(since: start) / Double(count)
  }

  private func seconds(since start: ContinuousClock.Instant) -> Double { (ContinuousClock.now - start) / .seconds(1) }
}

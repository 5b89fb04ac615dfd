import Torch
import TorchDistributed

/// One rank of a probe run.
struct Probe {
  let rank: Int
  let size: Int
  let port: Int
  let argument: String

  func store(timeout: Double = 30) throws(DistributedError) -> Store {
    try .client(host: "127.0.0.1", port: port, timeout: timeout)
  }

  func group(timeout: Double = 30, name: String = "world") throws(DistributedError) -> ProcessGroup {
    try .gloo(
      store: store(timeout: timeout), rank: rank, size: size, timeout: timeout, address: "127.0.0.1", name: name)
  }

  /// Waits until `count` ranks have started.
  func meet(_ count: Int) throws(DistributedError) {
    let store = try store()
    if try store.add("started", 1) == count { try store.set("all-started", "") }
    try store.wait(for: "all-started", timeout: 60)
  }

  func say(_ label: String, _ values: some Sequence<some CustomStringConvertible>) {
    print("\(label): \(values.map(\.description).joined(separator: " "))")
  }

  func say(_ label: String, _ tensor: Tensor) throws {
    say(label, try tensor.to(.float64).array(as: Double.self))
  }

  /// Runs `body` and tells how it failed.
  func sayFailure(_ label: String, _ body: () throws -> Void) {
    do {
      try body()
      print("\(label): nothing failed")
    } catch let error as DistributedError {
      print("\(label): \(error.isConsequenceOfPeer ? "peer" : "own"): \(error)")
    } catch {
      print("\(label): \(type(of: error)): \(error)")
    }
  }
}

import Foundation
import Glibc
import Synchronization
import Testing

/// Nodes are processes on this machine, told apart by the variables of the Lightning environment.
@Suite("Programs that train with ddp2", .serialized)
struct DDP2RunTests {
  /// Runs the probe once for each node, all at once.
  private func run(nodes: Int, devices: Int, _ options: String...) throws -> [ProbeRun] {
    let port = try freePort()
    let runs = Mutex([Int: Result<ProbeRun, any Error>]())
    let threads = (0..<nodes).map { node in
      let shell = nodes == 1 ? nil : "export NODE_RANK=\(node) MASTER_ADDR=127.0.0.1 MASTER_PORT=\(port)"
      let arguments = ["strategy=ddp2", "nodes=\(nodes)"] + options
      let thread = Thread {
        let result = Result { try ProbeRun("fit", devices, options: arguments, shell: shell) }
        runs.withLock { $0[node] = result }
      }
      thread.start()
      return thread
    }
    while threads.contains(where: { !$0.isFinished }) { usleep(1000) }
    return try (0..<nodes).map { node in try #require(runs.withLock { $0[node] }).get() }
  }

  private func freePort() throws -> Int {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(listener, pointer, length) == 0 && getsockname(listener, pointer, &length) == 0
      }
    }
    try #require(bound)
    return Int(UInt16(bigEndian: address.sin_port))
  }

  @Test(
    "The same global batch on 1, 2 and 3 nodes of 1, 2 and 3 devices",
    arguments: [(1, 2), (2, 1), (2, 2), (3, 2), (2, 3)])
  func parity(nodes: Int, devices: Int) throws {
    let alone = try ProbeRun("fit", 1, "epochs=3", "batch=12", "accumulate=1").succeeded()
    let runs = try run(nodes: nodes, devices: devices, "epochs=3", "batch=\(12 / nodes)")
    for run in runs { try run.succeeded() }
    let expected = try alone.metrics.values("train/loss")
    let losses = try runs[0].metrics.values("train/loss")
    try #require(losses.count == expected.count && losses.count == 6)
    for (step, (found, loss)) in zip(losses, expected).enumerated() {
      expectClose(found, loss, within: 1e-5, "loss of step \(step)")
    }
    // All nodes end with the same weights, to the bit.
    #expect(Set(runs.flatMap(\.weightSums)).count == 1)
    #expect(runs.flatMap(\.weightSums).count == nodes)
    #expect(
      try runs[0].metrics.values("val/accuracy") == alone.metrics.values("val/accuracy"))
  }

  @Test("Accumulated batches cross the nodes once a step")
  func accumulation() throws {
    let alone = try ProbeRun("fit", 1, "epochs=2", "batch=8", "accumulate=3").succeeded()
    let runs = try run(nodes: 2, devices: 2, "epochs=2", "batch=4", "accumulate=3")
    let expected = try alone.metrics.values("train/loss")
    for (step, (found, loss)) in zip(try runs[0].metrics.values("train/loss"), expected).enumerated() {
      expectClose(found, loss, within: 1e-5, "loss of batch \(step)")
    }
    #expect(Set(runs.flatMap(\.weightSums)).count == 1)
  }

  @Test("The plan counts nodes and replicas")
  func plan() throws {
    let runs = try run(nodes: 2, devices: 2, "epochs=1")
    #expect(
      runs[0].run.errorLines.first
        == "ddp2 on 2 processes × 2 replicas on 2 nodes (cpu, 1 thread each), precision 32-true, global batch = "
        + "2 × loader batch")
  }

  @Test("A node that fails or dies ends the run of the other", arguments: ["throw", "kill"])
  func failure(fault: String) throws {
    let runs = try run(nodes: 2, devices: 2, "epochs=1", "fault=\(fault)", "at=1", "rank=1")
    #expect(runs[1].status == (fault == "throw" ? 1 : 137))
    if fault == "throw" { #expect(runs[1].run.errors.contains("the user's code fails at batch 1")) }
    #expect(runs[0].status != 0)
  }
}

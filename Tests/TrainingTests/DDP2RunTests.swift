import Foundation
import Testing

@Suite("Programs that train with ddp2", .serialized)
struct DDP2RunTests {
  /// Runs the probe once for each node, all at once.
  private func run(nodes: Int, devices: Int, _ options: String...) throws -> [ProbeRun] {
    try NodeRuns.run("fit", nodes: nodes, devices: devices, options: ["strategy=ddp2"] + options)
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

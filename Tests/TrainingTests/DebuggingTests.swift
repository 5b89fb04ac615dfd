import Foundation
import Testing

@Suite("Arguments for debugging")
struct DebuggingTests {
  @Test("Anomaly detection names the operation whose backward makes a NaN")
  func anomaly() throws {
    let run = try LoopRun("loops", 1, "epochs=1", "anomaly=2", "detect-anomaly")
    #expect(run.probe.status == 1)
    #expect(run.failure.contains("Function 'SqrtBackward0' returned nan values in its 0th output"))
    #expect(run.events(0, "batch").count == 2)
    try LoopRun("loops", 1, "epochs=1", "train=12", "anomaly=2", "val=-1").succeeded()
  }

  @Test("Deterministic runs fill memory that nothing was written to", arguments: ["on", "warn"])
  func deterministic(mode: String) throws {
    let run = try LoopRun("loops", 1, "epochs=1", "deterministic=\(mode)").succeeded()
    #expect(run.events(0, "empty is") == Array(repeating: "empty is nan", count: 6))
  }

  @Test("What evaluation makes can take part in training without inference mode alone")
  func inferenceMode() throws {
    let run = try LoopRun("loops", 1, "epochs=1", "keep", "sanity=1")
    #expect(run.failure.contains("Inference tensors cannot be saved for backward"))
    try LoopRun("loops", 1, "epochs=1", "keep", "sanity=1", "inference=no").succeeded()
  }

  @Test("Rows for the loggers in every so many steps")
  func logInterval() throws {
    let run = try LoopRun("loops", 1, "epochs=2", "log-interval=5", "val=-1").succeeded()
    #expect(try run.probe.metrics.rows("train/loss").map(\.step) == [4, 9])
    let manual = try LoopRun("gan", 1, "epochs=2", "log-interval=5", "val=-1").succeeded()
    #expect(try manual.probe.metrics.rows("generator/loss").count == 2)
  }
}

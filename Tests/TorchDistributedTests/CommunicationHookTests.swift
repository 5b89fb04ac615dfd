import Foundation
import Testing

@Suite(.serialized) struct CommunicationHookTests {
  /// A run of `Tests/Reference/hooks.py`.
  struct Run: Decodable, Sendable, CustomTestStringConvertible {
    let name: String
    let ranks: Int
    let dtype: String
    let tolerance: Double
    /// Of each rank, after ten steps.
    let parameters: [[Double]]

    var testDescription: String { "\(name) on \(ranks)" }
  }

  private struct Reference: Decodable {
    let runs: [Run]
  }

  static let runs: [Run] = {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Reference/Data/hooks.json")
    return (try? JSONDecoder().decode(Reference.self, from: Data(contentsOf: file)).runs) ?? []
  }()

  @Test func referenceIsThere() { #expect(Self.runs.count == 17) }

  @Test(arguments: runs) func numbersOfPyTorch(_ reference: Run) throws {
    let run = try ProbeRun("hook", size: reference.ranks, argument: "\(reference.name) \(reference.dtype)")
    for (process, expected) in zip(run.processes, reference.parameters) {
      let found = process.numbers("parameters")
      #expect(found.count == expected.count && !found.isEmpty)
      let difference = zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity
      #expect(difference < reference.tolerance, "largest difference \(difference)")
    }
  }

  /// Several buckets, gradients as views of them, a static graph: the gradients are those of one bucket.
  @Test(arguments: [2, 3], ["small", "small view", "small static"])
  func arrangement(_ ranks: Int, _ words: String) throws {
    let plain = try ProbeRun("hook", size: ranks, argument: "none float64")
    let small = try ProbeRun("hook", size: ranks, argument: "closure float64 \(words)")
    for process in small.processes {
      #expect(process.numbers("buckets")[0] > 1)
      let difference =
        zip(process.numbers("parameters"), plain.processes[0].numbers("parameters"))
        .map { abs($0 - $1) }.max() ?? .infinity
      #expect(difference < 1e-12)
    }
  }

  @Test(
    arguments: [2, 3],
    ["powerSGD float64", "powerSGD-cold float32", "powerSGD-bf16 float32", "batchedPowerSGD-3 float64"])
  func goingOnIsExact(_ ranks: Int, _ hook: String) throws {
    let whole = try ProbeRun("hook", size: ranks, argument: "\(hook) small")
    let parts = try ProbeRun("hook", size: ranks, argument: "\(hook) small resume")
    for (whole, parts) in zip(whole.processes, parts.processes) {
      #expect(whole.text("parameters") == parts.text("parameters"))
      #expect(whole.text("parameters") != "")
    }
  }

  @Test func fewerNumbersCrossTheRanks() throws {
    let run = try ProbeRun("hook", size: 2, argument: "powerSGD float64")
    // 8 steps of 4·8 + 8 + 2·(8·8 + 8) + 8·2 + 2 = 202 numbers, as 12 + 8 + 2·(16 + 8) + 10 + 2 = 80.
    #expect(run.processes[0].numbers("numbers") == [1616, 640])
  }

  @Test func oneRank() throws {
    for hook in ["bf16Compress float32", "powerSGD float64", "quantizePerTensor float32", "postLocalSGD float64"] {
      let run = try ProbeRun("hook", size: 1, argument: hook)
      let numbers = run.processes[0].numbers("parameters")
      #expect(numbers.count == 202 && numbers.filter { !$0.isFinite }.isEmpty)
    }
  }

  @Test func errorsAreCarriedToOtherWorlds() throws {
    let run = try ProbeRun("hook-errors", size: 2)
    for process in run.processes {
      #expect(process.text("kept") == "7 2")
      #expect(process.lines("error") == Array(repeating: "3.0 3.0 3.0 3.0 3.0 3.0 3.0 3.0", count: 2))
      #expect(
        process.text("unusable") == """
          CommunicationHookError: communication hook powerSGD cannot go on from the saved state: it lacks 'step', 'draws' or \
          'buckets'; resume with the hook that the run was started with
          """)
    }
  }

  @Test func failuresNameRankAndBucket() throws {
    let thrown = try ProbeRun("failing-hook", size: 2, argument: "throws float64")
    let text = thrown.processes[1].text("hook")
    #expect(
      text.contains("communication hook half-hearted failed on rank 1 in bucket 0 (weight0, bias0, weight1, ...)"))
    #expect(text.contains("the user's hook gives up"))
    let late = try ProbeRun("failing-hook", size: 2, argument: "throws-late float64")
    for (rank, process) in late.processes.enumerated() {
      #expect(process.text("hook").contains("closure failed on rank \(rank) in bucket 0"))
      #expect(process.text("hook").contains("too late"))
    }
    let operation = try ProbeRun("failing-hook", size: 1, argument: "fails float64")
    #expect(operation.processes[0].text("hook").contains("in bucket 0"))
    #expect(operation.processes[0].text("hook").contains("matmul"))
    let shape = try ProbeRun("failing-hook", size: 1, argument: "shape float64")
    #expect(
      shape.processes[0].text("hook").contains("it returned [3] float64 for a buffer of [202] float64; return as many"))
  }

  @Test func refusals() throws {
    let run = try ProbeRun("refused-hooks", size: 2)
    let expected = [
      "half": """
      communication hook fp16Compress cannot reduce the gradient of 'fc.weight', which is bfloat16; leave the compression \
      out: 16 bits are on the wire as it is, or train in 32 or mixed precision
      """,
      "quantize": """
      communication hook quantizePerTensor cannot reduce the gradient of 'fc.weight', which is float64; train in 32 or \
      mixed precision, or use another hook
      """,
      "channels": "communication hook quantizePerChannel has channels of 0 numbers; give at least 1",
      "rank": "communication hook powerSGD has rank 0; give at least 1",
      "start": """
      communication hook powerSGD starts in step 1, but errors and factors can be kept only when the buckets are arranged; \
      give startStep: 2 or more, or turn off errorFeedback and warmStart
      """,
      "groups": """
      communication hook postLocalSGD cannot divide 2 ranks into groups of 3; give a groupSize that divides 2, or 1 for no \
      averaging
      """,
      "last level": """
      communication hook hierarchical averaging ends with groups of 3 ranks, and there are 2; give the last level the \
      groupSize 2
      """,
    ]
    for (rank, process) in run.processes.enumerated() {
      for (label, message) in expected { #expect(process.text(label) == "CommunicationHookError: \(message)") }
      #expect(process.text("period").contains("period 0"))
      #expect(process.text("order").contains("let periods grow"))
      #expect(
        process.text("parameters") == """
          own: gradient reducer failed on rank \(rank): parameter 0 is 'fc.weight' [4, 5] float32 on rank 1 and 'fc.weight' \
          [4, 3] float32 on rank 0; all ranks must build and freeze the same module
          """)
      #expect(process.text("more parameters").contains("2 parameters require a gradient on rank 1 and 1 on rank 0"))
    }
  }

  @Test func subgroups() throws {
    let run = try ProbeRun("subgroups", size: 4)
    for (rank, process) in run.processes.enumerated() {
      #expect(process.numbers("pair") == [rank < 2 ? 1 : 5])
      #expect(process.text("rank") == "\([1, 0, 0, 1][rank]) 2")
      #expect(process.numbers("crossed") == [6])
      #expect(process.text("whole") == "true")
      #expect(process.text("three").contains("4 ranks cannot be divided into groups of 3; give a divisor of 4"))
      #expect(process.text("others").contains("give different ranks from 0 to 3, among them \(rank)"))
    }
  }
}

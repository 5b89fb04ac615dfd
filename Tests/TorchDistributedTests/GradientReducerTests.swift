import Testing

@Suite(.serialized) struct GradientReducerTests {
  private static let names = ["first.weight", "first.bias", "extra.weight", "extra.bias", "last.weight", "last.bias"]

  static let cases = [2, 3].flatMap { size in
    ["plain", "view", "static", "accumulate", "skip-one", "skip-always"].map { (size, $0) }
  }

  @Test(arguments: cases) func tenStepsEqualThoseOfOneProcess(_ size: Int, _ mode: String) throws {
    let run = try ProbeRun("gradients", size: size, argument: mode)
    var alone: [String: [Double]] = [:]
    // With size 1 the probe would take other shards, so that the reference is told the size of the run.
    let reference = try ProbeRun("reference", size: size, started: 1, argument: mode).processes[0]
    for name in Self.names { alone[name] = reference.numbers(name) }
    for process in run.processes {
      #expect(process.numbers("buckets")[0] > 1)
      for name in Self.names {
        let found = process.numbers(name)
        let expected = alone[name] ?? []
        #expect(found.count == expected.count && !found.isEmpty, "\(name)")
        for (found, expected) in zip(found, expected) { #expect(abs(found - expected) < 1e-12, "\(mode) \(name)") }
        #expect(found == run.processes[0].numbers(name), "\(name) differs between ranks")
      }
      let kept = mode == "skip-always" ? "true true false false true true" : "true true true true true true"
      #expect(process.lines("has gradients").count == 10)
      for (step, line) in process.lines("has gradients").enumerated() {
        #expect(line == kept, "step \(step)")
      }
    }
  }

  @Test func unusedParametersAreNamed() throws {
    let advice = """
      no gradient arrived for 2 of 6 parameters in the step before: extra.weight, extra.bias; let each of them take part \
      in the loss, freeze it, or use .ddp(findUnusedParameters: true)
      """
    for level in ["OFF", "DETAIL"] {
      let all = try ProbeRun(
        "unused", size: 2, argument: "skip-always", environment: ["TORCH_DISTRIBUTED_DEBUG": level])
      for (rank, process) in all.processes.enumerated() {
        #expect(process.text("unused") == "own: gradient reducer failed on rank \(rank): \(advice)")
      }
    }
    let one = try ProbeRun("unused", size: 2, argument: "skip-one")
    #expect(one.processes[0].text("unused") == "own: gradient reducer failed on rank 0: \(advice)")
    let other = one.processes[1].text("unused")
    #expect(other.contains("backward") && other.contains("by peer"), "\(other)")
    #expect(!other.contains("GLHF") && !other.contains(".cc:"), "\(other)")
  }

  @Test func differentShapesNameTheParameter() throws {
    let run = try ProbeRun("different-models", size: 2, argument: "shape")
    #expect(
      run.processes[1].text("different") == """
        own: gradient reducer failed on rank 1: parameter 'extra.weight' has shape [6, 7] here and another one on rank 0; \
        all ranks must build the same module
        """)
  }

  @Test func differentNumbersOfParametersAreNamed() throws {
    let run = try ProbeRun("different-models", size: 2, argument: "count")
    let text = run.processes[1].text("different")
    #expect(text.hasPrefix("own: gradient reducer failed on rank 1: 5 parameters require a gradient here"), "\(text)")
    #expect(text.hasSuffix("all ranks must build and freeze the same module"), "\(text)")
  }
}

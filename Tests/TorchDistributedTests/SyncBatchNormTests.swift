import Testing

/// Batch normalization over several processes against one process with all samples.
@Suite(.serialized) struct SyncBatchNormTests {
  static let cases = [
    (1, "float64"), (2, "float64"), (3, "float64"), (2, "float64 even"), (3, "2d float64"), (2, "2d float64 even"),
    (2, "2d plain"), (3, "untracked"), (2, "cumulative"), (2, "empty"), (3, "2d empty"), (2, "constant"),
    (3, "float32"), (2, "2d bfloat16 mixed even"), (2, "bfloat16"),
  ]

  @Test(arguments: cases) func numbersAreThoseOfOneProcess(_ size: Int, _ argument: String) throws {
    // Alone, a layer with parameters of bfloat16 keeps its statistics in bfloat16, too; ours are of float32.
    let usual = argument == "bfloat16" ? "bfloat16 mixed" : argument
    let alone = try ProbeRun("batch-norm-reference", size: 1, argument: usual).processes[0]
    let run = try ProbeRun("batch-norm", size: size, argument: argument).processes
    let tolerance = argument.contains("bfloat16") ? 0.04 : argument.contains("float32") ? 2e-5 : 1e-11
    func compare(_ found: [Double], _ expected: [Double], _ what: String) {
      #expect(found.count == expected.count && !found.isEmpty, "\(what)")
      for (found, expected) in zip(found, expected) {
        #expect(abs(found - expected) <= tolerance * max(1, abs(expected)), "\(what): \(found), \(expected)")
      }
    }
    func numbers(_ line: String) -> [Double] { line.split(separator: " ").compactMap { Double($0) } }
    for label in ["output", "input gradient"] where !(label == "input gradient" && argument == "constant") {
      let lines = run.map { $0.lines(label) }
      try #require(lines.allSatisfy { $0.count == 2 } && alone.lines(label).count == 2)
      for step in 0..<2 {
        compare(lines.flatMap { numbers($0[step]) }, numbers(alone.lines(label)[step]), "\(label) \(step)")
      }
    }
    for name in ["weight", "bias"] where !argument.contains("plain") {
      let found = run.map { $0.numbers("gradient of \(name)") }
      compare(
        (0..<3).map { channel in found.map { $0[channel] }.reduce(0, +) }, alone.numbers("gradient of \(name)"), name)
    }
    for process in run {
      #expect(process.lines("type") == alone.lines("type"))
      for name in ["running_mean", "running_var", "num_batches_tracked"] where !argument.contains("untracked") {
        compare(process.numbers(name), alone.numbers(name), name)
        #expect(process.text(name) == run[0].text(name))
      }
      compare(process.numbers("evaluated"), alone.numbers("evaluated"), "evaluated")
      for label in ["applied", "reverted", "same"] { #expect(process.text(label) == "true") }
    }
  }

  @Test func misuseIsAnErrorOnEveryRank() throws {
    let run = try ProbeRun("batch-norm-misuse", size: 2)
    for process in run.processes {
      #expect(process.text("channels").contains("the layer normalizes [N, 3, ...]"))
      #expect(process.text("one value").contains("all ranks together must have more than one value per channel"))
      #expect(process.text("second derivative").contains("has no second derivative"))
      #expect(process.text("batches") == "1")
    }
  }
}

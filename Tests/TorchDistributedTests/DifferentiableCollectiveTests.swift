import Testing

@Suite(.serialized) struct DifferentiableCollectiveTests {
  @Test(arguments: [1, 2, 3]) func gradientsCrossRanks(_ size: Int) throws {
    let run = try ProbeRun("differentiable", size: size)
    let ranks = Array(0..<size)
    // Σ over ranks of their loss's weights of the two elements.
    let weights = [Double(size), Double(ranks.map { 10 * $0 }.reduce(0, +))]
    for (rank, process) in run.processes.enumerated() {
      let squares = ranks.map { Double(($0 + 1) * ($0 + 1)) }.reduce(0, +)
      #expect(process.numbers("sum") == [squares, Double(4 * size)])
      #expect(process.numbers("sum gradient") == [2 * Double(rank + 1) * weights[0], 4 * weights[1]])
      #expect(process.numbers("input") == [Double(rank + 1), 2])
      #expect(process.text("shapes") == ranks.map { "[\($0 + 1), 2]" }.joined(separator: " "))
      let parts = ranks.flatMap { rank in (0...rank).flatMap { [Double(2 * rank), Double(2 * $0)] } }
      #expect(process.numbers("parts") == parts)
      let weight = ranks.map { Double(10 * $0 + rank) }.reduce(0, +)
      #expect(process.numbers("gather gradient") == Array(repeating: 2 * weight, count: 2 * (rank + 1)))
      #expect(process.text("numbers shapes") == ranks.map { _ in "[]" }.joined(separator: " "))
      #expect(process.numbers("numbers gradient") == [Double(size)])
      #expect(process.text("without") == ranks.map { _ in "false" }.joined(separator: " "))
      #expect(process.text("of constants") == ranks.map { _ in "false" }.joined(separator: " "))
      for label in ["poisoned sum", "poisoned gather"] {
        #expect(process.text(label).contains("the result of an operation that failed before"))
      }
    }
  }

  @Test(arguments: [1, 2, 3]) func sumsCanBeDifferentiatedTwice(_ size: Int) throws {
    let run = try ProbeRun("second-derivative", size: size)
    let weight = Double((1...size).reduce(0, +))
    for (rank, process) in run.processes.enumerated() {
      let x = Double(rank + 1)
      #expect(process.numbers("first") == [3 * x * x * weight])
      #expect(process.numbers("second") == [6 * x * weight])
    }
  }

  @Test func aRankThatDiesInBackwardIsAnErrorOfTheOthers() throws {
    let run = try ProbeRun("gradient-lost", size: 2, statuses: [0, 128 + 9])
    let text = run.processes[0].text("lost")
    #expect(text.contains("TorchError") && text.contains("all-reduce of [2] float64 failed on rank 0"), "\(text)")
  }
}

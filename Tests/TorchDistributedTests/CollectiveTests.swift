import Testing

@Suite(.serialized) struct CollectiveTests {
  private static let sizes = [1, 2, 3]

  @Test(arguments: sizes) func allReduce(_ size: Int) throws {
    let run = try ProbeRun("all-reduce", size: size)
    let ranks = (0..<size).map(Double.init)
    let values = [ranks.map { $0 + 1 }, ranks.map { 2 * $0 }, ranks.map { -$0 }]
    let expected: [(String, ([Double]) -> Double)] = [
      ("sum", { $0.reduce(0, +) }), ("product", { $0.reduce(1, *) }), ("minimum", { $0.min()! }),
      ("maximum", { $0.max()! }), ("mean", { $0.reduce(0, +) / Double($0.count) }),
    ]
    for process in run.processes {
      for dtype in ["float32", "float64", "bfloat16", "int64"] {
        for (name, reduce) in expected where name != "mean" || dtype != "int64" {
          #expect(process.numbers("\(name) \(dtype)") == values.map(reduce), "\(name) \(dtype)")
        }
      }
      let numbers = [(0..<size).map { 12 + $0 }, (0..<size).map { 1 << $0 }, Array(repeating: 7, count: size)]
      #expect(process.numbers("and") == numbers.map { Double($0.reduce(-1, &)) })
      #expect(process.numbers("or") == numbers.map { Double($0.reduce(0, |)) })
      #expect(process.numbers("xor") == numbers.map { Double($0.reduce(0, ^)) })
      if size > 1 { #expect(process.text("bits of floats").hasPrefix("own: all-reduce of [3] float")) }
      let total = ranks.map { $0 + 1 }.reduce(0, +)
      #expect(process.numbers("large") == [total, total])
    }
  }

  @Test(arguments: sizes) func gather(_ size: Int) throws {
    let run = try ProbeRun("gather", size: size)
    let ranks = Array(0..<size)
    for (rank, process) in run.processes.enumerated() {
      #expect(process.numbers("even") == ranks.flatMap { [Double($0 * 10), Double($0 * 10 + 1)] })
      #expect(process.text("uneven shapes") == ranks.map { "[\($0 + 1), 2]" }.joined(separator: " "))
      #expect(process.numbers("uneven") == ranks.flatMap { Array(repeating: Double($0), count: 2 * $0 + 2) })
      #expect(process.numbers("partly empty") == ranks.map(Double.init))
      #expect(process.text("all empty") == ranks.map { _ in "[0, 3]" }.joined(separator: " "))
      #expect(process.text("numbers shapes") == ranks.map { _ in "[]" }.joined(separator: " "))
      #expect(process.numbers("numbers") == ranks.map { Double($0) + 0.5 })
      #expect(process.numbers("strided") == ranks.flatMap { rank in [0, 2, 1, 3].map { Double($0 + rank) } })
      #expect(process.numbers("into") == ranks.flatMap { [Double($0), Double($0)] })
      let offset = ranks.reduce(0, +)
      #expect(process.numbers("reduce-scatter") == [2 * rank, 2 * rank + 1].map { Double($0 * size + offset) })
      let bytes = ranks.map { "\([UInt8](repeating: UInt8($0), count: $0))" }
      #expect(process.text("bytes") == bytes.joined(separator: " "))
      let objects = ranks.map { "\(["rank \($0)": [Double($0) / 3]])" }
      #expect(process.text("objects") == objects.joined(separator: " "))
    }
  }

  @Test(arguments: sizes) func exchange(_ size: Int) throws {
    let run = try ProbeRun("exchange", size: size)
    for (rank, process) in run.processes.enumerated() {
      #expect(process.numbers("all-to-all") == (0..<size).map { Double(rank + 100 * $0) })
      guard size > 1 else { continue }
      let previous = Double((rank + size - 1) % size)
      #expect(process.numbers("tag 1") == [previous])
      #expect(process.numbers("tag 2") == [10 * previous, 10 * previous, 10 * previous])
    }
  }

  @Test(arguments: sizes) func broadcast(_ size: Int) throws {
    let run = try ProbeRun("broadcast", size: size)
    let last = Double(size - 1)
    for process in run.processes {
      for source in 0..<size {
        #expect(process.numbers("from \(source)") == Array(repeating: Double(source + 7), count: 4))
      }
      let list = process.lines("list").map { $0.split(separator: " ").compactMap { Double($0) } }
      #expect(list == [[last, last, last], [last + 10, last + 10], [last + 20], [last + 30, last + 30]])
      #expect(process.text("bytes") == "1 2 255")
      #expect(process.text("no bytes").isEmpty)
      #expect(process.text("object") == "[0.1, \(last)]")
      #expect(process.text("text") == "ä \"quoted\"")
    }
  }

  @Test(arguments: sizes) func asynchronous(_ size: Int) throws {
    let run = try ProbeRun("asynchronous", size: size)
    let ranks = (0..<size).reduce(0, +)
    for process in run.processes {
      #expect(process.text("completed") == Array(repeating: "true", count: 6).joined(separator: " "))
      let sums = process.lines("sum").map { $0.split(separator: " ").compactMap { Double($0) } }
      #expect(sums == (1...6).map { [Double(ranks + $0 * size), Double(ranks + $0 * size)] })
      #expect(process.numbers("gathered") == (0..<size).map(Double.init))
      #expect(process.numbers("broadcast") == [0, 0])
    }
  }

  @Test(arguments: sizes) func barrier(_ size: Int) throws {
    let run = try ProbeRun("barrier", size: size)
    for process in run.processes {
      #expect(process.lines("came") == Array(repeating: "\(size)", count: 5))
    }
  }

  @Test func groupsAreIndependent() throws {
    let run = try ProbeRun("two-groups", size: 3)
    for process in run.processes { #expect(process.lines("sum") == ["3.0 3.0 3.0", "6.0 6.0 6.0 6.0 6.0"]) }
  }
}

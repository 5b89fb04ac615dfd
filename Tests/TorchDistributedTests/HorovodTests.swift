import Testing

/// The distributed optimizer, Adasum, named collectives and joining, in real processes.
@Suite(.serialized) struct HorovodTests {
  private static let names = ["first.weight", "first.bias", "extra.weight", "extra.bias", "last.weight", "last.bias"]

  private func expectSame(
    _ run: ProbeRun, _ expected: ProbeRun.Process, within tolerance: Double, _ mode: String
  ) {
    for process in run.processes {
      for name in Self.names {
        let (found, wanted) = (process.numbers(name), expected.numbers(name))
        #expect(found.count == wanted.count && !found.isEmpty, "\(name)")
        for (found, wanted) in zip(found, wanted) {
          #expect(abs(found - wanted) <= tolerance, "\(mode), \(name): \(found), \(wanted)")
        }
        #expect(found == run.processes[0].numbers(name), "\(name) differs between ranks")
      }
    }
  }

  static let cases =
    [1, 2, 3, 4].flatMap { size in ["plain", "skip-one small"].map { (size, $0) } }
    + [
      (2, "sum"), (3, "predivide"), (2, "unfused synchronize"), (3, "accumulate small"), (2, "accumulate skip-always"),
      (2, "fp16"), (2, "bf16 predivide"),
    ]

  @Test("Ten steps equal those of one process", arguments: cases)
  func steps(_ size: Int, _ mode: String) throws {
    let run = try ProbeRun("horovod", size: size, argument: mode)
    let words = mode.split(separator: " ").map(String.init)
    let usual = words.first { ["accumulate", "skip-one", "skip-always"].contains($0) } ?? ""
    let reference = try ProbeRun("reference", size: size, started: 1, argument: usual).processes[0]
    let tolerance = words.contains("fp16") ? 2e-3 : words.contains("bf16") ? 2e-2 : 1e-12
    if words == ["accumulate", "skip-always"] { return try unused(run) }
    expectSame(run, reference, within: tolerance, mode)
    if tolerance > 1e-9 {
      // Less than float64 it is.
      #expect(run.processes[0].numbers("first.bias") != reference.numbers("first.bias"))
    }
    for process in run.processes { #expect(process.lines("has gradients").count == 10) }
  }

  /// Parameters that have no gradient on any rank stay without.
  private func unused(_ run: ProbeRun) throws {
    for process in run.processes {
      #expect(Set(process.lines("has gradients")) == ["true true false false true true"])
    }
  }

  // MARK: Adasum

  /// The formula, tensor by tensor, pair by pair.
  private func adasum(_ vectors: [[Double]]) -> [Double] {
    guard vectors.count > 1 else { return vectors[0] }
    var next: [[Double]] = []
    for pair in stride(from: 0, to: vectors.count, by: 2) {
      let (a, b) = (vectors[pair], vectors[pair + 1])
      func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).map(*).reduce(0, +) }
      let (aa, bb, ab) = (dot(a, a), dot(b, b), dot(a, b))
      let (first, second) = (aa == 0 ? 1 : 1 - ab / (2 * aa), bb == 0 ? 1 : 1 - ab / (2 * bb))
      next.append(zip(a, b).map { first * $0 + second * $1 })
    }
    return adasum(next)
  }

  @Test(
    "Adasum is the formula, whatever is fused", arguments: [1, 2, 4], ["", "unfused", "float32", "fp16", "parallel"])
  func formula(_ size: Int, _ mode: String) throws {
    let run = try ProbeRun("adasum", size: size, argument: mode)
    let tolerance = mode == "fp16" && size > 1 ? 1e-2 : mode == "float32" ? 1e-6 : 1e-12
    for index in 0..<3 {
      let expected = adasum(run.processes.map { $0.numbers("update \(index)") })
      for process in run.processes {
        let found = process.numbers("sum \(index)")
        #expect(found.count == expected.count && !found.isEmpty)
        for (found, expected) in zip(found, expected) { #expect(abs(found - expected) <= tolerance, "\(mode)") }
        #expect(found == run.processes[0].numbers("sum \(index)"), "differs between ranks")
      }
    }
    if mode == "parallel" { #expect(run.processes[0].numbers("sum 0") == [1, 1, 1, 1, 1]) }
  }

  @Test("Adasum of orthogonal updates is their sum", arguments: [2, 4])
  func orthogonal(_ size: Int) throws {
    let run = try ProbeRun("adasum", size: size, argument: "orthogonal")
    let sum = (0..<5).map { $0 < size ? Double($0 + 1) : 0 }
    for process in run.processes {
      #expect(process.numbers("sum 0") == sum)
      #expect(process.numbers("sum 1") == [0, 0, 0, 0, 0, 0])
    }
  }

  // MARK: Bad input

  static let misuse: [(argument: String, size: Int, says: [String])] = [
    ("lacking", 2, ["the ranks do not have the same parameters to optimize", "rank 1 has no 'extra.weight'"]),
    ("lacking", 3, ["rank 1 has no 'extra.weight'"]),
    ("shape", 2, ["'extra.weight' is float64 [6, 6] on rank 0, float64 [6, 7] on rank 1"]),
    ("dtype", 2, ["'extra.weight' is float64 [6, 6] on rank 0, float32 [6, 6] on rank 1"]),
    (
      "bfloat16 fp16", 2,
      [
        "compression .fp16 cannot be used for parameter 'first.bias' of type bfloat16: fp16 has not the range of bfloat16"
      ]
    ),
    ("adasum", 3, ["Adasum needs a power of two of ranks, and there are 3; use 2 or 4, or operation: .average"]),
    ("predivide", 2, ["gradientPredivideFactor is 2.0, but the operation is .sum, which does not divide"]),
    ("duplicate", 2, ["two parameters have the name 'first.weight'"]),
    ("passes", 2, ["the gradient of '", "was computed more than once before a step", "raise backwardPassesPerStep"]),
    ("zeroing", 2, ["zeroGradients() between a backward pass and its step"]),
    ("frozen", 2, ["the ranks do not have the same gradients", "rank 1 has no 'extra.bias'"]),
    (
      "other", 2,
      ["the ranks came to different collectives", "rank 0: the reduction of gradients", "rank 1: allreduce 'x'"]
    ),
  ]

  @Test("Wrong use is an error on every rank that names what is wrong", arguments: misuse)
  func errors(_ argument: String, _ size: Int, _ says: [String]) throws {
    let run = try ProbeRun("horovod-misuse", size: size, argument: argument)
    for process in run.processes {
      for text in says { #expect(process.output.contains(text), "\(argument): \(process.output)") }
      #expect(!process.output.contains("nothing failed"))
    }
  }

  // MARK: Joining

  @Test("Ranks that run out of data contribute zeros", arguments: [2, 3], ["", "falling", "even", "named small"])
  func join(_ size: Int, _ mode: String) throws {
    let run = try ProbeRun("horovod-join", size: size, argument: mode)
    let last = mode == "falling" ? 0 : size - 1
    for (rank, process) in run.processes.enumerated() {
      #expect(process.numbers("last") == [Double(last)])
      guard mode.contains("named") else { continue }
      for step in 0..<(2 + rank) {
        let sum = (0..<size).filter { 2 + $0 > step }.map { Double($0 + 1) }.reduce(0, +)
        #expect(process.numbers("named \(step)") == [sum], "step \(step)")
      }
    }
    let weights = run.processes.map { $0.numbers("first.weight") }
    // The weights of a rank that has joined stay as they are.
    #expect((weights[0] == weights[1]) == (mode == "even"))
    for weights in weights { #expect(!weights.isEmpty && weights.allSatisfy { $0.isFinite }) }
  }

  // MARK: Named collectives

  @Test("Named collectives", arguments: [2, 3])
  func collectives(_ size: Int) throws {
    let run = try ProbeRun("horovod-collectives", size: size)
    let ranks = (0..<size).map(Double.init)
    let sums: [Double] = [ranks.map { $0 + 1 }.reduce(0, +), ranks.map { 2 * $0 }.reduce(0, +)]
    let averages: [Double] = sums.map { $0 / Double(size) }
    for (rank, process) in run.processes.enumerated() {
      #expect(process.numbers("average") == averages)
      #expect(process.numbers("sum") == sums.map { $0 * 20 })
      for label in ["half", "first", "afterwards"] { #expect(process.numbers(label) == sums, "\(label)") }
      #expect(process.numbers("second") == sums.map { $0 * 2 })
      let rows: [Double] = ranks.flatMap { [Double](repeating: $0, count: 2 * Int($0) + 2) }
      #expect(process.numbers("gathered") == rows)
      #expect(process.numbers("numbers") == ranks)
      let (last, twice) = (Double(size), Double(2 * size - 2))
      #expect(process.numbers("root") == [last, twice])
      let start = rank * (rank + 1) / 2
      var parts: [Double] = []
      for from in 0..<size { for row in 0...rank { parts.append(Double(100 * from + start + row)) } }
      #expect(process.numbers("parts") == parts)
      let splits = [Double](repeating: Double(rank + 1), count: size)
      #expect(process.numbers("splits") == splits)
      let own: [Double] = [Double(rank) + 1, 2 * Double(rank)]
      #expect(process.numbers("unchanged") == own)
      #expect(process.output.contains("rank 0: allreduce 'y' of float64 [2]"))
      #expect(process.output.contains("rank 1: allreduce 'x' of float64 [2]"))
      #expect(process.output.contains("rank 1: allreduce 'z' of float64 [3]"))
      #expect(process.output.contains("rank 1: allgather 'k' of float64 [any]"))
      #expect(process.text("integers").contains("the average of 'i' is no int64"))
      #expect(process.text("root outside").contains("which is not in the set"))
      #expect(process.text("splits wrong").contains("has the splits"))
    }
  }
}

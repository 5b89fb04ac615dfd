import Testing
import Torch

@Suite struct GeneratorTests {
  private func reference() throws -> ReferenceJSON { try ReferenceJSON.file("randperm.json") }

  @Test func permutationsArePyTorchs() throws {
    let cases = try #require(try reference()["permutations"]?.elements)
    #expect(cases.count >= 50)
    for entry in cases {
      let n = try #require(entry["n"]?.int)
      let seed = try #require(entry["seed"]?.int)
      let found = try Tensor.randperm(n, generator: Generator(seed: UInt64(seed))).array(as: Int.self)
      #expect(found.count == n)
      if let values = entry["values"]?.ints {
        #expect(found == values, "n \(n), seed \(seed)")
      } else {
        #expect(Array(found.prefix(16)) == entry["first"]?.ints, "n \(n), seed \(seed)")
        #expect(Array(found.suffix(4)) == entry["last"]?.ints, "n \(n), seed \(seed)")
        #expect(Set(found) == Set(0..<n))
      }
    }
  }

  @Test func consecutivePermutationsArePyTorchs() throws {
    let entry = try #require(try reference()["consecutive_permutations"])
    let generator = Generator(seed: UInt64(try #require(entry["seed"]?.int)))
    let n = try #require(entry["n"]?.int)
    let rows = try #require(entry["values"]?.elements)
    #expect(rows.count == 3)
    for row in rows { #expect(try Tensor.randperm(n, generator: generator).array(as: Int.self) == row.ints) }
  }

  @Test func drawsArePyTorchs() throws {
    let draws = try #require(try reference()["draws"]?.elements)
    var kinds: Set<String> = []
    for entry in draws {
      let kind = try #require(entry["kind"]?.string)
      let generator = Generator(seed: UInt64(try #require(entry["seed"]?.int)))
      let tensor = try #require(entry["tensor"])
      let shape = try #require(tensor["shape"]?.ints)
      let values = try #require(tensor["values"]?.numbers)
      let range = (entry["low"]?.int ?? 0, entry["high"]?.int ?? 1)
      kinds.insert(kind)
      switch kind {
      case "rand": expect(Tensor.rand(shape, generator: generator), shape, values)
      case "randn":
        expect(Tensor.randn(shape, generator: generator), shape, values, within: 1e-6)
        generator.manualSeed(generator.seed)
        expect(Tensor.normal(shape: shape, generator: generator), shape, values, within: 1e-6)
      case "randint": expect(Tensor.randint(range.0..<range.1, shape: shape, generator: generator), shape, values)
      case "uniform":
        let drawn = Tensor.uniform(
          Double(range.0)..<Double(range.1), shape: shape, dtype: .float64, generator: generator)
        expect(drawn, shape, values)
      default: Issue.record("unknown kind \(kind)")
      }
    }
    #expect(kinds == ["rand", "randn", "randint", "uniform"])
  }

  @Test func seedsRepeat() throws {
    let (left, right) = (Generator(seed: 17), Generator(seed: 17))
    #expect(left.seed == 17)
    for _ in 0..<3 {
      #expect(Tensor.randn([40], generator: left).equals(Tensor.randn([40], generator: right)))
    }
    let first = Tensor.rand([8], generator: left)
    #expect(!first.equals(Tensor.rand([8], generator: left)))
    left.manualSeed(99)
    right.manualSeed(99)
    #expect(left.seed == 99)
    #expect(Tensor.rand([8], generator: left).equals(Tensor.rand([8], generator: right)))
    left.manualSeed(.max)
    #expect(left.seed == .max)
  }

  @Test func stateIsTheWholeStory() throws {
    let generator = Generator(seed: 4)
    _ = Tensor.randn([7], generator: generator)
    let state = generator.state
    #expect(state.dtype == .uint8 && state.ndim == 1)
    let expected = [
      Tensor.randn([5], generator: generator), Tensor.rand([20], generator: generator),
      Tensor.randperm(30, generator: generator),
    ]
    let other = Generator(seed: 0)
    other.state = state
    let found = [
      Tensor.randn([5], generator: other), Tensor.rand([20], generator: other), Tensor.randperm(30, generator: other),
    ]
    for (found, expected) in zip(found, expected) { #expect(found.equals(expected)) }
    #expect(other.seed == 4)
    #expect(generator.state.equals(other.state))
    #expect(!state.equals(other.state))
  }

  @Test func damagedStatesAreRefused() {
    let generator = Generator(seed: 4)
    let state = generator.state
    #expect(failure { generator.state = Tensor([1 as UInt8, 2, 3]) }?.operation == "Generator.state")
    #expect(failure { generator.state = state.to(.float32) } != nil)
    #expect(generator.state.equals(state))
  }

  @Test func theDefaultGeneratorIsShared() async {
    await #expect(processExitsWith: .success) {
      TorchRuntime.manualSeed(123)
      guard Generator.default.seed == 123 else { fatalError("the seed is \(Generator.default.seed)") }
      let drawn = Tensor.rand([4])
      guard drawn.equals(Tensor.rand([4], generator: Generator(seed: 123))) else { fatalError("other numbers") }
      Generator.default.manualSeed(123)
      guard drawn.equals(Tensor.rand([4])) else { fatalError("manualSeed of the default") }
      let state = Generator.default.state
      let next = Tensor.randperm(50)
      Generator.default.state = state
      guard next.equals(Tensor.randperm(50)) else { fatalError("state of the default") }
    }
  }
}

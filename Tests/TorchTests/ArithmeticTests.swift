import Testing
import Torch

@Suite struct ArithmeticTests {
  private static let functions:
    [(
      name: String, tensors: @Sendable (Tensor, Tensor) -> Tensor, numbers: @Sendable (Double, Double) -> Double
    )] = [
      ("+", { $0 + $1 }, { $0 + $1 }),
      ("-", { $0 - $1 }, { $0 - $1 }),
      ("*", { $0 * $1 }, { $0 * $1 }),
      ("/", { $0 / $1 }, { $0 / $1 }),
      (".==", { $0 .== $1 }, { $0 == $1 ? 1 : 0 }),
      (".!=", { $0 .!= $1 }, { $0 != $1 ? 1 : 0 }),
      (".<", { $0 .< $1 }, { $0 < $1 ? 1 : 0 }),
      (".<=", { $0 .<= $1 }, { $0 <= $1 ? 1 : 0 }),
      (".>", { $0 .> $1 }, { $0 > $1 ? 1 : 0 }),
      (".>=", { $0 .>= $1 }, { $0 >= $1 ? 1 : 0 }),
    ]

  /// For 60 pairs of shapes that broadcast, each element is that of the numbers that meet there.
  @Test(arguments: 0..<functions.count) func broadcasts(_ index: Int) {
    let (name, tensors, numbersOf) = Self.functions[index]
    var source = SeededGenerator(state: UInt64(index) + 1)
    for _ in 0..<60 {
      let shape = (0..<Int.random(in: 0...4, using: &source)).map { _ in Int.random(in: 0...3, using: &source) }
      func side() -> [Int] {
        let kept = shape.map { Bool.random(using: &source) ? $0 : 1 }
        return Array(kept.dropFirst(Int.random(in: 0...kept.count, using: &source)))
      }
      let (left, right) = (drawn(side(), from: &source).rounded(), drawn(side(), from: &source).rounded() + 0.5)
      let result = tensors(left, right.rounded())
      let expectedShape = Self.broadcast(left.shape, right.shape)
      #expect(result.shape == expectedShape, "\(left.shape) \(name) \(right.shape)")
      let a = Self.spread(left, expectedShape)
      let b = Self.spread(right.rounded(), expectedShape)
      for (found, (a, b)) in zip(numbers(result), zip(a, b)) {
        let expected = numbersOf(a, b)
        #expect(found == expected || found.isNaN && expected.isNaN, "\(a) \(name) \(b)")
      }
      #expect(result.dtype == (name.hasPrefix(".") ? .bool : .float64))
    }
  }

  /// The rule of NumPy, written anew.
  private static func broadcast(_ left: [Int], _ right: [Int]) -> [Int] {
    let count = max(left.count, right.count)
    let padded = [left, right].map { Array(repeating: 1, count: count - $0.count) + $0 }
    return (0..<count).map { padded[0][$0] == 1 ? padded[1][$0] : padded[0][$0] }
  }

  private static func spread(_ tensor: Tensor, _ shape: [Int]) -> [Double] {
    let values = numbers(tensor)
    let own = Array(repeating: 1, count: shape.count - tensor.ndim) + tensor.shape
    return (0..<shape.reduce(1, *)).map { flat in
      var (rest, position, stride) = (flat, 0, 1)
      for dim in shape.indices.reversed() {
        let index = rest % shape[dim]
        rest /= shape[dim]
        if own[dim] != 1 { position += index * stride }
        stride *= own[dim]
      }
      return values[position]
    }
  }

  @Test func shapesThatDoNotBroadcastFail() {
    let error = failure { _ = Tensor.zeros([2, 3]) * Tensor.zeros([4], dtype: .int64) }
    #expect(error?.operation == "mul")
    #expect(error?.arguments == ["self: [2, 3] float32", "other: [4] int64"])
    #expect(
      error?.message
        == "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1")
  }

  @Test func numbersOnEitherSide() {
    let tensor = Tensor([1.0, 2.0, 4.0])
    expect(tensor + 1, [3], [2, 3, 5])
    expect(1 + tensor, [3], [2, 3, 5])
    expect(tensor - 1, [3], [0, 1, 3])
    expect(1 - tensor, [3], [0, -1, -3])
    expect(tensor * 0.5, [3], [0.5, 1, 2])
    expect(0.5 * tensor, [3], [0.5, 1, 2])
    expect(tensor / 4, [3], [0.25, 0.5, 1])
    expect(2 / tensor, [3], [2, 1, 0.5])
    expect(tensor % 3, [3], [1, 2, 1])
    expect(Tensor([-1.0, -4.0]) % 3, [2], [2, 2])
    expect(-tensor, [3], [-1, -2, -4])
    let variable = 3.0
    expect(tensor * variable + variable - variable, [3], [3, 6, 12])
    expect(variable * tensor, [3], [3, 6, 12])
    expect(variable - tensor / variable, [3], [3 - 1 / 3.0, 3 - 2 / 3.0, 3 - 4 / 3.0], within: 1e-15)
  }

  @Test func divisionByZeroFollowsIEEE() {
    expect(Tensor([1.0, -1.0, 0.0]) / 0, [3], [.infinity, -.infinity, .nan])
  }

  @Test func verbsChangeTheTensor() {
    let tensor = Tensor([1.0, 2.0])
    let alias = tensor.view([2])
    tensor.add(Tensor([10.0, 20.0]), scaledBy: 0.5)
    expect(alias, [2], [6, 12])
    tensor.add(1)
    tensor.multiply(by: 2)
    expect(alias, [2], [14, 26])
    tensor.multiply(by: Tensor([1.0, 0.5]))
    tensor.divide(by: 2)
    tensor.divide(by: Tensor([7.0, 13.0]))
    expect(alias, [2], [1, 0.5])
    tensor += Tensor([1.0, 1.0])
    tensor -= Tensor([0.5, 0.0])
    tensor *= Tensor([2.0, 2.0])
    expect(alias, [2], [3, 3])
    tensor.copy(from: Tensor([7]))
    expect(alias, [2], [7, 7])
    tensor.clamp(0...5)
    expect(alias, [2], [5, 5])
    tensor.fill(9)
    expect(alias, [2], [9, 9])
    tensor.zero()
    expect(alias, [2], [0, 0])
  }

  @Test func comparisonsWithNumbers() {
    let tensor = Tensor([1, 2, 3])
    expect(tensor .== 2, [3], [0, 1, 0])
    expect(tensor .!= 2, [3], [1, 0, 1])
    expect(tensor .< 2, [3], [1, 0, 0])
    expect(tensor .<= 2, [3], [1, 1, 0])
    expect(tensor .> 2, [3], [0, 0, 1])
    expect(tensor .>= 2, [3], [0, 1, 1])
    expect((tensor .> 1) .& (tensor .< 3), [3], [0, 1, 0])
    expect((tensor .< 2) .| (tensor .> 2), [3], [1, 0, 1])
    expect(.!(tensor .== 2), [3], [1, 0, 1])
  }

  @Test func functionsOfOneTensor() {
    let tensor = Tensor([-1.5, 0.25, 2.0])
    expect(tensor.abs(), [3], [1.5, 0.25, 2])
    expect(tensor.relu(), [3], [0, 0.25, 2])
    expect(tensor.square(), [3], [2.25, 0.0625, 4])
    expect(tensor.sign(), [3], [-1, 1, 1])
    expect(tensor.floor(), [3], [-2, 0, 2])
    expect(tensor.ceil(), [3], [-1, 1, 2])
    expect(Tensor([0.5, 1.5, 2.5]).rounded(), [3], [0, 2, 2])
    expect(tensor.clamped(-1...1), [3], [-1, 0.25, 1])
    expect(tensor.exp().log(), [3], [-1.5, 0.25, 2], within: 1e-12)
    expect(tensor.pow(2), [3], [2.25, 0.0625, 4])
    expect(Tensor([4.0]).sqrt(), [1], [2])
    expect(Tensor([4.0]).reciprocal(), [1], [0.25])
    expect(tensor.sigmoid(), [3], [0.18242552380635635, 0.5621765008857981, 0.8807970779778823], within: 1e-12)
    expect(tensor.tanh(), [3], [-0.9051482536448664, 0.24491866240370913, 0.9640275800758169], within: 1e-12)
    expect(tensor.sin().square() + tensor.cos().square(), [3], [1, 1, 1], within: 1e-12)
    expect(tensor.softmax(dim: 0).sum(), [], [1], within: 1e-12)
    expect(tensor.logSoftmax(dim: 0).exp().sum(), [], [1], within: 1e-12)
    expect(tensor.maskedFill(tensor .< 0, 9), [3], [9, 0.25, 2])
    expect(tensor.replacing(with: Tensor.zeros([3], dtype: .float64), where: tensor .> 1), [3], [-1.5, 0.25, 0])
    expect(Tensor([1.0, .nan, .infinity]).isNaN(), [3], [0, 1, 0])
    expect(Tensor([1.0, .nan, .infinity]).isFinite(), [3], [1, 0, 0])
    expect(Tensor([1.0]).gelu(), [1], [0.8413447460685429], within: 1e-12)
    expect(Tensor([1.0]).gelu(approximateTanh: true), [1], [0.8411919906082768], within: 1e-12)
  }

  @Test func equality() {
    let tensor = Tensor([1.0, 2.0])
    #expect(tensor.equals(Tensor([1.0, 2.0])))
    #expect(!tensor.equals(Tensor([1.0, 2.5])))
    #expect(!tensor.equals(Tensor([1.0, 2.0], shape: [1, 2])))
    #expect(tensor.isClose(to: Tensor([1.000001, 2.0])))
    #expect(!tensor.isClose(to: Tensor([1.001, 2.0])))
    #expect(tensor.isClose(to: Tensor([1.001, 2.0]), absolute: 0.01))
  }
}

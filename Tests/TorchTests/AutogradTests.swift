import Testing
import Torch

@Suite struct AutogradTests {
  private func leaf(_ values: [Double], shape: [Int]? = nil) -> Tensor {
    let tensor = Tensor(values, shape: shape)
    tensor.requiresGradient = true
    return tensor
  }

  @Test func gradientsAreAnalytic() {
    let x = leaf([0.5, -1, 2])
    let cases: [(Tensor, (Double) -> Double)] = [
      (x.square(), { 2 * $0 }), (x * 3 - 1, { _ in 3 }), (x.exp(), { Double.exp($0) }),
      (x.tanh(), { 1 - tanh($0) * tanh($0) }),
      (x.relu(), { $0 > 0 ? 1 : 0 }), (1 / (x + 3), { -1 / (($0 + 3) * ($0 + 3)) }), (x * x * x, { 3 * $0 * $0 }),
      (x.sin(), { Double.cos($0) }), (x.abs(), { $0 > 0 ? 1 : -1 }),
      (x.clamped(-0.75...0.75), { abs($0) < 0.75 ? 1 : 0 }),
    ]
    for (index, (result, derivative)) in cases.enumerated() {
      x.gradient = nil
      result.sum().backward()
      expect(x.gradient, [3], [0.5, -1, 2].map(derivative), within: 1e-12)
      #expect(result.requiresGradient && !result.isLeaf, "case \(index)")
    }
  }

  @Test func gradientsAccumulateUntilCleared() {
    let x = leaf([2])
    #expect(x.gradient == nil)
    for round in 1...3 {
      (x * x).backward()
      expect(x.gradient, [1], [4 * Double(round)])
    }
    x.gradient?.zero()
    expect(x.gradient, [1], [0])
    x.gradient = nil
    #expect(x.gradient == nil)
  }

  @Test func backwardTakesAGradient() {
    let x = leaf([1, 2, 3])
    (x * 2).backward(gradient: Tensor([1.0, 10, 100]))
    expect(x.gradient, [3], [2, 20, 200])
    x.gradient = Tensor([1.0, 1, 1])
    (x * 2).backward(gradient: Tensor([1.0, 0, 0]))
    expect(x.gradient, [3], [3, 1, 1])
  }

  @Test func broadcastingSumsTheGradient() {
    let column = leaf([1, 2], shape: [2, 1])
    let row = leaf([3, 4, 5])
    (column * row).sum().backward()
    expect(column.gradient, [2, 1], [12, 12])
    expect(row.gradient, [3], [3, 3, 3])
  }

  @Test func linearLayerMatchesItsFormula() {
    var source = SeededGenerator(state: 3)
    let x = drawn([5, 3], from: &source)
    let weight = drawn([2, 3], from: &source)
    let bias = drawn([2], from: &source)
    for parameter in [weight, bias] { parameter.requiresGradient = true }
    let target = drawn([5, 2], from: &source)
    let residual = x.matmul(weight.transposed) + bias - target
    residual.square().mean().backward()
    let scaled = residual.detached() * 2 / 10
    #expect(weight.gradient?.isClose(to: scaled.transposed.matmul(x), relative: 1e-12) == true)
    #expect(bias.gradient?.isClose(to: scaled.sum(dim: 0), relative: 1e-12) == true)
  }

  @Test func centralDifferencesAgree() throws {
    var source = SeededGenerator(state: 8)
    func loss(_ x: Tensor) -> Tensor {
      (x.matmul(x.transposed).softmax(dim: 1) * (x.sum(dim: 1, keepDim: true).tanh() + x.norm())).sum()
    }
    let x = drawn([3, 4], from: &source)
    x.requiresGradient = true
    loss(x).backward()
    let gradient = numbers(try #require(x.gradient))
    for position in 0..<12 {
      let values = try [1e-6, -1e-6].map { step in
        let moved = x.detached().clone()
        moved.reshaped(12)[position].add(Scalar(step))
        return try loss(moved).scalar()
      }
      #expect(abs((values[0] - values[1]) / 2e-6 - gradient[position]) < 1e-7)
    }
  }

  @Test func graphIsFreedUnlessRetained() {
    let x = leaf([3])
    let y = x * x
    y.backward(retainGraph: true)
    y.backward()
    expect(x.gradient, [1], [12])
    let error = failure { y.backward() }
    #expect(error?.operation == "backward")
    #expect(error?.message.contains("backward through the graph a second time") == true)
  }

  @Test func gradientsOfLeaveTensorsAlone() {
    let (x, y) = (leaf([2]), leaf([5]))
    let found = Tensor.gradients(of: [x * x * y, y], withRespectTo: [x, y])
    #expect(found.count == 2)
    expect(found[0], [1], [20])
    expect(found[1], [1], [5])
    #expect(x.gradient == nil && y.gradient == nil)
  }

  @Test func gradientsOfAnUnusedInputFail() {
    let (x, y) = (leaf([2]), leaf([5]))
    var results: [Tensor] = []
    let error = failure { results = Tensor.gradients(of: [x * x], withRespectTo: [x, y]) }
    #expect(error?.operation == "gradients")
    #expect(error?.message.contains("to not have been used in the graph") == true)
    #expect(results.count == 2 && results.allSatisfy { $0.isPoisoned })
  }

  @Test func secondDerivatives() {
    let x = leaf([2, 3])
    let first = Tensor.gradients(of: [(x * x * x).sum()], withRespectTo: [x], createGraph: true)[0]
    expect(first, [2], [12, 27])
    #expect(first.requiresGradient)
    let second = Tensor.gradients(of: [first.sum()], withRespectTo: [x], createGraph: true)[0]
    expect(second, [2], [12, 18])
    second.sum().backward()
    expect(x.gradient, [2], [6, 6])
  }

  @Test func createGraphThroughBackward() throws {
    let x = leaf([2])
    (x * x * x).backward(createGraph: true)
    let gradient = try #require(x.gradient)
    #expect(gradient.requiresGradient)
    x.gradient = nil
    gradient.backward()
    expect(x.gradient, [1], [12])
    x.gradient = nil
  }

  @Test func leavesAndHistory() {
    let x = leaf([1])
    let y = x * 2
    #expect(x.isLeaf && !y.isLeaf && y.detached().isLeaf && !y.detached().requiresGradient)
    y.detached().add(1)
    expect(y, [1], [3])
    let kept = x * 3
    kept.retainGradient()
    (kept * kept).backward()
    expect(kept.gradient, [1], [6])
    expect(x.gradient, [1], [18])
  }

  @Test func misuseFails() {
    let x = leaf([1, 2])
    #expect(failure { x.backward() }?.message == "grad can be implicitly created only for scalar outputs")
    #expect(failure { Tensor([1.0]).backward() }?.message.contains("does not require grad") == true)
    #expect(failure { Tensor([1]).requiresGradient = true }?.operation == "requiresGradient")
    #expect(failure { x.add(1) }?.message.contains("leaf Variable that requires grad") == true)
    #expect(
      failure { x.gradient = Tensor([1.0]) }?.message == "a gradient of shape [1] for a tensor of shape [2]")
    let frozen = failure { (x * 2).requiresGradient = false }
    #expect(frozen?.operation == "requiresGradient")
    #expect(frozen?.message.hasSuffix("use detached()") == true)
    let changed = x * 1
    let square = changed * changed
    changed.add(1)
    #expect(failure { square.sum().backward() }?.message.contains("modified by an inplace operation") == true)
  }
}

extension Double {
  fileprivate static func exp(_ value: Double) -> Double { numbers(Tensor([value]).exp())[0] }
  fileprivate static func cos(_ value: Double) -> Double { numbers(Tensor([value]).cos())[0] }
}

private func tanh(_ value: Double) -> Double {
  let power = Double.exp(2 * value)
  return (power - 1) / (power + 1)
}

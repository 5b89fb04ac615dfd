import Testing

@testable import Torch

/// `Tensor.linear` records one node where ATen's `linear` records two; nothing else may differ.
@Suite("The linear layer's own node")
struct LinearTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let shape: [Int]
    let gradients: [Bool]
    var testDescription: String { "\(shape), gradients of input, weight, bias: \(gradients)" }
  }

  static let cases: [Case] = [[4, 3], [1, 3], [0, 3], [2, 5, 3], [3]].flatMap { shape in
    (1..<8).map { mask in Case(shape: shape, gradients: [mask & 1 != 0, mask & 2 != 0, mask & 4 != 0]) }
  }

  private func leaves(_ shape: [Int], _ gradients: [Bool]) -> [Tensor] {
    let generator = Generator(seed: 7)
    let leaves = [shape, [2, 3], [2]].map { Tensor.randn($0, generator: generator) }
    for (leaf, wanted) in zip(leaves, gradients) where wanted { leaf.requiresGradient = true }
    return leaves
  }

  @Test("output and gradients are those of ATen's linear to the bit", arguments: cases)
  func sameBits(_ test: Case) throws {
    let own = leaves(test.shape, test.gradients)
    let reference = leaves(test.shape, test.gradients)
    let output = own[0].linear(own[1], own[2])
    let expected = Aten.linear(reference[0], weight: reference[1], bias: reference[2])
    #expect(output.equals(expected))
    #expect(output.strides == expected.strides)
    (output * output).sum().backward()
    (expected * expected).sum().backward()
    for (mine, theirs) in zip(own, reference) {
      #expect((mine.gradient == nil) == (theirs.gradient == nil))
      if let mine = mine.gradient, let theirs = theirs.gradient { #expect(mine.equals(theirs)) }
    }
  }

  @Test("second derivatives are those of ATen's linear")
  func secondDerivatives() throws {
    func penalty(_ leaves: [Tensor], _ linear: (Tensor, Tensor, Tensor) -> Tensor) -> [Tensor] {
      let loss = linear(leaves[0], leaves[1], leaves[2]).pow(3).sum()
      let first = Tensor.gradients(of: [loss], withRespectTo: leaves, createGraph: true)
      let norm = first.map { $0.square().sum() }.reduce(Tensor(0), +)
      return Tensor.gradients(of: [norm], withRespectTo: leaves)
    }
    let own = penalty(leaves([4, 3], [true, true, true])) { $0.linear($1, $2) }
    let reference = penalty(leaves([4, 3], [true, true, true])) { Aten.linear($0, weight: $1, bias: $2) }
    for (mine, theirs) in zip(own, reference) { #expect(mine.isClose(to: theirs)) }
  }

  @Test("a second backward and a weight changed in between are refused, as by ATen")
  func misuse() {
    let twice = leaves([4, 3], [true, true, true])
    #expect(throws: TorchError.self) {
      try withErrorScope {
        let loss = twice[0].linear(twice[1], twice[2]).sum()
        loss.backward()
        loss.backward()
      }
    }
    let changed = leaves([4, 3], [true, true, true])
    #expect(throws: TorchError.self) {
      try withErrorScope {
        let loss = changed[0].linear(changed[1], changed[2]).sum()
        withoutGradients { changed[1].multiply(by: 2) }
        loss.backward()
      }
    }
  }

  @Test("under autocast it computes in bfloat16, as ATen's linear does")
  func autocast() {
    let leaves = leaves([4, 3], [false, true, true])
    let output = withAutocast(to: .bfloat16) { leaves[0].linear(leaves[1], leaves[2]) }
    #expect(output.dtype == .bfloat16)
  }
}

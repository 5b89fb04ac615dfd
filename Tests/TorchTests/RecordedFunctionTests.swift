import Testing
import Torch

/// Operations with a backward of their own.
@Suite struct RecordedFunctionTests {
  private struct Refusal: Error, CustomStringConvertible { let description = "no gradient today" }

  private func leaf(_ values: [Double]) -> Tensor {
    let tensor = Tensor(values)
    tensor.requiresGradient = true
    return tensor
  }

  /// x² with a gradient that is ten times too large, so that it can be told from libtorch's.
  private func square(_ x: Tensor, failing: Bool = false) -> Tensor {
    let output = withoutGradients { x.detached().square() }
    Tensor.record("Square", outputs: [output], of: [x], saving: [x]) { step in
      if failing { throw Refusal() }
      return [step.gradients[0].map { $0 * step.saved[0] * 20 }]
    }
    return output
  }

  @Test func gradientsAreThoseOfTheClosure() {
    let x = leaf([1, -3])
    let output = square(x * 2)
    #expect(output.requiresGradient && !output.isLeaf)
    (output * Tensor([1.0, 10])).sum().backward()
    expect(x.gradient, [2], [20 * 2 * 2, 20 * 10 * -6 * 2])
  }

  @Test func onlyWhatIsNeededIsComputed() {
    let (x, y) = (leaf([2]), Tensor([5.0]))
    let outputs = [withoutGradients { x.detached() * 1 }, withoutGradients { y.detached() * 1 }]
    var needed: [Bool] = []
    var present: [Bool] = []
    Tensor.record("Both", outputs: outputs, of: [x, y]) { step in
      needed = step.isNeeded
      present = step.gradients.map { $0 != nil }
      return [step.gradients[1], step.gradients[1]]
    }
    (outputs[1] * 3).backward()
    #expect(needed == [true, false])
    #expect(present == [false, true])
    expect(x.gradient, [1], [3])
    #expect(y.gradient == nil)
  }

  @Test func nothingIsRecordedWithoutGradients() {
    #expect(!square(Tensor([1.0])).requiresGradient)
    let x = leaf([1])
    #expect(!withoutGradients { square(x) }.requiresGradient)
  }

  @Test func whatTheClosureThrowsFailsTheBackward() {
    let error = failure { square(leaf([1]), failing: true).sum().backward() }
    #expect(error?.operation == "backward")
    #expect(error?.message == "no gradient today")
  }

  @Test func operationsThatFailInTheClosureFailTheBackward() {
    let x = leaf([1, 2])
    let output = withoutGradients { x.detached() * 2 }
    Tensor.record("Misfit", outputs: [output], of: [x]) { step in [step.gradients[0]! + Tensor.zeros([3])] }
    let error = failure { output.sum().backward() }
    #expect(error?.message.hasPrefix("add: The size of tensor a (2) must match") == true, "\(error as Any)")
    #expect(x.gradient == nil)
  }

  @Test func changesOfASavedTensorAreNoticed() {
    let x = leaf([1])
    let inner = x * 2
    let output = square(inner)
    inner.multiply(by: 3)
    let error = failure { output.backward() }
    #expect(error?.message.contains("modified by an inplace operation") == true, "\(error as Any)")
  }

  @Test func aGraphIsUsedOnceUnlessItIsKept() {
    let x = leaf([1])
    let output = square(x)
    output.backward(retainGraph: true)
    output.backward()
    expect(x.gradient, [1], [40])
    let error = failure { output.backward() }
    #expect(error?.message.contains("backward through the graph a second time") == true, "\(error as Any)")
  }

  @Test func closuresAndSavedTensorsAreReleasedWithTheGraph() {
    final class Witness {}
    weak var witness: Witness?
    do {
      let held = Witness()
      witness = held
      let x = leaf([1])
      let output = withoutGradients { x.detached() * 2 }
      Tensor.record("Held", outputs: [output], of: [x], saving: [x]) { step in
        withExtendedLifetime(held) { step.gradients }
      }
      #expect(output.requiresGradient)
    }
    #expect(witness == nil)
  }
}

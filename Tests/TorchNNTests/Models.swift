import Torch
import TorchNN

/// The two-layer perceptron of the digits example.
final class Perceptron: Layer<Tensor, Tensor> {
  let fc1 = Linear(64, 128)
  let fc2 = Linear(128, 10)

  override func forward(_ input: Tensor) -> Tensor { fc2(Functional.relu(fc1(input))) }
}

/// A parameter of its own, one of a superclass, buffers, and children in every container.
class Base: Module {
  @Parameter var scale: Tensor = .ones([2])
  private let hidden = Linear(2, 2)
}

final class Everything: Base {
  @Parameter var lateWeight: Tensor?
  @Buffer var runningMean: Tensor
  @Buffer(persistent: false) var mask: Tensor = .ones([3])
  let name = "everything"
  let sizes = [1, 2, 3]
  let plain = Tensor.ones([7])
  var head: Linear?
  var list: [Layer<Tensor, Tensor>] = [Linear(2, 3), ReLU(), Linear(3, 1, bias: false)]
  var nested: [[Linear]] = [[Linear(1, 1, bias: false)], [Linear(1, 1, bias: false)]]
  var byName: [String: Linear] = ["b": Linear(1, 1, bias: false), "a": Linear(1, 1, bias: false)]
  var byNumber: [Int: Linear] = [10: Linear(1, 1, bias: false), 9: Linear(1, 1, bias: false)]
  let rest = Sequential { Linear(1, 1, bias: false) }

  init(head: Linear? = nil) {
    runningMean = .zeros([2])
    self.head = head
  }
}

/// nanoGPT's names, which snake case alone does not give.
final class Block: Module {
  let ln1 = LayerNorm(4)
  let cAttn = Linear(4, 12)
  override func stateKey(for property: String) -> String {
    property == "ln1" ? "ln_1" : super.stateKey(for: property)
  }
}

/// A residual block, for tests that need a layer of the user's own.
final class Residual: Layer<Tensor, Tensor> {
  let inner: Linear
  init(_ width: Int) { inner = Linear(width, width) }
  override func forward(_ input: Tensor) -> Tensor { input + inner(input) }
}

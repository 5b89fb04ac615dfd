import OrderedCollections
import Testing
import Torch
import TorchNN

@Suite("State dictionaries")
struct StateDictionaryTests {
  @Test("a round trip restores every parameter and persistent buffer, in place")
  func roundTrip() throws {
    let source = Everything(head: Linear(1, 1))
    source.runningMean = Tensor([Float(3), 4])
    let state = source.stateDictionary()
    #expect(state["running_mean"] != nil)
    #expect(state["mask"] == nil)
    #expect(state.values.allSatisfy { !$0.requiresGradient })

    let target = Everything(head: Linear(1, 1))
    let weight = target.list[0].parameters()[0].tensor
    try target.load(state)
    for (key, tensor) in target.stateDictionary() {
      #expect(state[key]?.equals(tensor) == true, "\(key)")
    }
    #expect(target.list[0].parameters()[0].tensor === weight)
    #expect(weight.requiresGradient && weight.isLeaf)
  }

  @Test("numbers are converted to the type the module has")
  func conversion() throws {
    let layer = Linear(1, 2, bias: false)
    try layer.load(["weight": Tensor([0.5, -2.0], shape: [2, 1])])
    #expect(layer.weight.dtype == .float32)
    #expect(try layer.weight.array(as: Float.self) == [0.5, -2])
  }

  @Test("all missing, unexpected and mismatched keys are in one error, and nothing is changed")
  func errors() throws {
    let model = Perceptron()
    let before = model.fc1.bias?.clone()
    let error = try #require(throws: StateDictionaryError.self) {
      try model.load([
        "fc1.bias": .zeros([128]), "fc2.weight": .zeros([12, 128]), "fc2.bias": .zeros([]), "fc3.bias": .zeros([1]),
      ])
    }
    #expect(
      error.description == """
        the state does not fit Perceptron:
          shape of fc2.weight: expected [10, 128], found [12, 128]
          shape of fc2.bias: expected [10], found []
          missing: fc1.weight, expected [128, 64], found none
          unexpected: fc3.bias, expected none, found [1]
        """)
    #expect(before.map { model.fc1.bias?.equals($0) == true } == true)
  }

  @Test("without strict, what both have is loaded and the rest is reported; shapes must still agree")
  func notStrict() throws {
    let model = Perceptron()
    let strict = try #require(throws: StateDictionaryError.self) { try model.load(["fc1.bias": .ones([128])]) }
    #expect(strict.missing == ["fc1.weight", "fc2.weight", "fc2.bias"])
    let result = try model.load(["fc1.bias": .ones([128]), "other": .ones([1])], strict: false)
    #expect(result.missing == ["fc1.weight", "fc2.weight", "fc2.bias"])
    #expect(result.unexpected == ["other"])
    #expect(try model.fc1.bias?.sum().scalar() == 128)
    #expect(throws: StateDictionaryError.self) { try model.load(["fc1.bias": .ones([1])], strict: false) }
  }

  @Test("didLoadState is called on every module, children first")
  func didLoadState() throws {
    final class Leaf: Module {
      @Parameter var weight: Tensor = .ones([1])
      var doubled = 2.0
      override func didLoadState() { doubled = 2 * ((try? weight.scalar()) ?? 0) }
    }
    final class Parent: Module {
      let leaf = Leaf()
      var seen = 0.0
      override func didLoadState() { seen = leaf.doubled }
    }
    let module = Parent()
    try module.load(["leaf.weight": Tensor([Float(5)])])
    #expect(module.leaf.doubled == 10)
    #expect(module.seen == 10)
  }

  @Test("a shared parameter is listed once, and stands under every name in the state")
  func shared() throws {
    final class Tied: Module {
      let wte = Embedding(5, 3)
      let lmHead = Linear(3, 5, bias: false)
      let again: Embedding
      override init() {
        again = wte
        super.init()
        lmHead.weight = wte.weight
      }
    }
    let model = Tied()
    #expect(model.namedParameters().map(\.name) == ["wte.weight"])
    #expect(model.namedParameters(removingDuplicates: false).count == 3)
    #expect(model.stateDictionary().keys.elements == ["wte.weight", "lm_head.weight", "again.weight"])
    #expect(model.summary().parameterCount == 15)
    model.to(.float64)
    #expect(model.lmHead.weight === model.wte.weight)
    #expect(model.wte.weight.dtype == .float64)
  }
}

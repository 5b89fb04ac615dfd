import OrderedCollections
import Testing
import Torch

@testable import TorchNN

@Suite("Finding parameters and modules")
struct ModuleWalkTests {
  @Test("names are PyTorch's, own parameters first, containers by index or sorted key")
  func names() {
    let module = Everything(head: Linear(1, 1))
    #expect(
      module.namedParameters().map(\.name) == [
        "scale", "hidden.weight", "hidden.bias", "head.weight", "head.bias", "list.0.weight", "list.0.bias",
        "list.2.weight", "nested.0.0.weight", "nested.1.0.weight", "by_name.a.weight", "by_name.b.weight",
        "by_number.9.weight", "by_number.10.weight", "rest.0.weight",
      ])
    #expect(module.namedBuffers().map(\.name) == ["running_mean", "mask"])
    #expect(module.namedModules().first?.name == "")
    #expect(module.namedChildren().map(\.name).contains("list.1"))
  }

  @Test("an optional parameter appears when it is assigned")
  func optionalParameter() {
    let module = Everything()
    #expect(!module.namedParameters().contains { $0.name == "late_weight" })
    module.lateWeight = .zeros([4])
    #expect(module.namedParameters().prefix(2).map(\.name) == ["scale", "late_weight"])
    #expect(module.$lateWeight.requiresGradient)
  }

  @Test("a child that is replaced after a walk is found")
  func replacedChild() {
    let module = Everything()
    let before = module.parameters().count
    let head = Linear(3, 3)
    module.head = head
    module.list.append(Linear(1, 1))
    #expect(module.parameters().count == before + 4)
    #expect(module.path(of: head) == "head")
    #expect(module.parameters().contains { $0 === head.$weight })
  }

  @Test("modules that cannot change are looked at once")
  func stability() {
    for layer in [Linear(1, 1), Conv2d(1, 1, kernelSize: 1), BatchNorm2d(1), LayerNorm(1), GELU()] as [Module] {
      #expect(layer.entries.isStable, "\(layer)")
    }
    #expect(!Everything().entries.isStable)
    #expect(!Sequential([]).entries.isStable)
  }

  @Test("state keys can be overridden")
  func overriddenKey() {
    #expect(
      Block().stateDictionary().keys.elements == ["ln_1.weight", "ln_1.bias", "c_attn.weight", "c_attn.bias"])
  }

  @Test("keys of a BatchNorm and types of its buffers are PyTorch's")
  func batchNormKeys() {
    let state = BatchNorm2d(3).stateDictionary()
    #expect(state.keys.elements == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"])
    #expect(state["num_batches_tracked"]?.dtype == .int64)
    #expect(state["num_batches_tracked"]?.shape == [])
  }

  @Test("path, apply, train, freeze and zeroGradients reach every module once")
  func reach() throws {
    let module = Everything()
    #expect(module.path(of: module) == "")
    #expect(module.path(of: module.list[2]) == "list.2")
    #expect(module.path(of: Linear(1, 1)) == nil)
    var visited: [Module] = []
    module.apply { visited.append($0) }
    #expect(visited.last === module)
    #expect(visited.count == module.namedModules().count)
    module.eval()
    #expect(module.namedModules().allSatisfy { !$0.module.isTraining })
    module.train()
    #expect(module.namedModules().allSatisfy { $0.module.isTraining })
    module.freeze()
    #expect(module.parameters().allSatisfy { !$0.requiresGradient })
    module.unfreeze()
    #expect(module.parameters().allSatisfy { $0.requiresGradient })
    module.list[0](.ones([1, 2])).sum().backward()
    #expect(module.list[0].parameters().allSatisfy { $0.gradient != nil })
    module.zeroGradients(setToNone: false)
    #expect(try module.list[0].parameters()[1].gradient?.sum().scalar() == 0)
    module.zeroGradients()
    #expect(module.parameters().allSatisfy { $0.gradient == nil })
  }

  @Test("an overridden train keeps its part in evaluation mode")
  func overriddenTrain() {
    final class Frozen: Module {
      let norm = BatchNorm1d(2)
      override func train(_ on: Bool) { super.train(false) }
    }
    final class Outer: Module {
      let frozen = Frozen()
      let free = Dropout()
    }
    let module = Outer()
    module.train()
    #expect(!module.frozen.norm.isTraining)
    #expect(module.free.isTraining)
  }
}

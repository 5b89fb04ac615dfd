import OrderedCollections
import Testing
import Torch
import TorchNN

@Suite("Parameters and buffers")
struct ParameterTests {
  @Test("a parameter is a leaf that requires a gradient, whatever is assigned")
  func leaf() {
    let layer = Linear(2, 2)
    #expect(layer.weight.isLeaf && layer.weight.requiresGradient)
    layer.weight = layer.weight * 2
    #expect(layer.weight.isLeaf && layer.weight.requiresGradient)
    layer.bias = nil
    #expect(layer.namedParameters().map(\.name) == ["weight"])
    #expect(!layer.$bias.isPresent)
  }

  @Test("a frozen parameter stays frozen when it is replaced")
  func frozen() {
    let layer = Linear(2, 2)
    layer.freeze()
    layer.weight = .ones([2, 2])
    #expect(!layer.weight.requiresGradient)
  }

  @Test("a tensor of integers cannot be a parameter")
  func integers() throws {
    let error = try #require(throws: TorchError.self) {
      try withErrorScope { Linear(1, 1).weight = Tensor([1, 2]) }
    }
    #expect(error.message.contains("floating point"))
  }

  @Test("a reader replaces what the property reads, not what the parameter holds")
  func reader() throws {
    let layer = Linear(1, 1, bias: false)
    layer.weight = Tensor([Float(3)], shape: [1, 1])
    layer.$weight.reader = { $0.tensor * 10 }
    #expect(try layer(.ones([1, 1])).scalar() == 30)
    #expect(try layer.$weight.tensor.scalar() == 3)
    layer.$weight.reader = nil
    #expect(try layer(.ones([1, 1])).scalar() == 3)
  }

  @Test("reading a buffer before it has a tensor is an error, not a crash")
  func empty() {
    final class Late: Module {
      @Buffer(persistent: false) var mask: Tensor
    }
    let module = Late()
    #expect(throws: TorchError.self) { try withErrorScope { module.mask.shape } }
    module.mask = .ones([2])
    #expect(module.mask.shape == [2])
    #expect(module.stateDictionary().isEmpty)
  }

  @Test("conversion keeps identities and converts gradients; integers keep their type")
  func conversion() {
    let layer = BatchNorm1d(2)
    layer(.randn([4, 2])).sum().backward()
    let weight = layer.weight
    layer.to(.float64)
    #expect(layer.weight === weight)
    #expect(layer.weight?.dtype == .float64)
    #expect(layer.weight?.gradient?.dtype == .float64)
    #expect(layer.weight?.requiresGradient == true && layer.weight?.isLeaf == true)
    #expect(layer.runningMean?.dtype == .float64)
    #expect(layer.numBatchesTracked?.dtype == .int64)
    #expect(layer(.randn([4, 2], dtype: .float64)).dtype == .float64)
    layer.to(.cpu)
    #expect(layer.weight?.dtype == .float64)
  }
}

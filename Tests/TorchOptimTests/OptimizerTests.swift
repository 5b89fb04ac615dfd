import Testing
import Torch
import TorchNN
import TorchOptim

struct OptimizerTests {
  @Test func `gradients are dropped, or filled with zeros`() throws {
    let parameter = Parameter(wrappedValue: Tensor.ones([3]))
    let optimizer = SGD([parameter], learningRate: 0.1)
    parameter.gradient = .ones([3])
    optimizer.zeroGradients(setToNone: false)
    #expect(try parameter.gradient?.array(as: Float.self) == [0, 0, 0])
    optimizer.zeroGradients()
    #expect(parameter.gradient == nil)
  }

  @Test func `a parameter whose tensor is replaced is followed`() throws {
    let parameter = Parameter(wrappedValue: Tensor.ones([2]))
    let optimizer = SGD([parameter], learningRate: 1)
    parameter.gradient = .ones([2])
    optimizer.step()
    parameter.tensor = Tensor.full([2], 5)
    parameter.gradient = .ones([2])
    optimizer.step()
    #expect(try parameter.tensor.array(as: Float.self) == [4, 4])
  }

  @Test(arguments: [true, false])
  func `a gradient in another layout than its parameter is read right`(_ decoupled: Bool) throws {
    let gradient = Tensor((0..<6).map { Float($0) - 2.5 }, shape: [3, 2])
    let results = try [gradient, gradient.transposed.contiguous().transposed].map { gradient in
      let parameter = Parameter(wrappedValue: Tensor.ones([3, 2]))
      let optimizer: Optimizer =
        decoupled ? AdamW([parameter], learningRate: 0.1) : SGD([parameter], learningRate: 0.1, momentum: 0.9)
      for _ in 0..<2 {
        parameter.gradient = gradient
        optimizer.step()
      }
      return try parameter.tensor.to(.float64).array(as: Double.self)
    }
    #expect(try distance(Tensor(results[0]), results[1]) < 1e-6)
    #expect(Set(results[0]).count > 1)
  }

  @Test func `steps record nothing for backward`() {
    let parameter = Parameter(wrappedValue: Tensor.ones([2]))
    let optimizer = AdamW([parameter])
    parameter.gradient = .ones([2])
    optimizer.step()
    #expect(parameter.tensor.isLeaf)
    #expect(parameter.tensor.requiresGradient)
  }

  @Test func `groups have options of their own`() throws {
    let slow = Parameter(wrappedValue: Tensor.zeros([1]))
    let fast = Parameter(wrappedValue: Tensor.zeros([1]))
    let optimizer = SGD(groups: [.init([slow], learningRate: 0.25), .init([fast], learningRate: 2, maximize: true)])
    slow.gradient = .ones([1])
    fast.gradient = .ones([1])
    optimizer.step()
    #expect(try slow.tensor.scalar() == -0.25)
    #expect(try fast.tensor.scalar() == 2)
  }

  @Test(arguments: [DType.bfloat16, .float16])
  func `half precision parameters are updated`(_ dtype: DType) throws {
    let parameter = Parameter(wrappedValue: Tensor.ones([8]).to(dtype))
    let optimizer = SGD([parameter], learningRate: 0.5, momentum: 0.9)
    for _ in 0..<2 {
      parameter.gradient = Tensor.ones([8]).to(dtype)
      optimizer.step()
    }
    // 1 - 0.5 - 0.5 · 1.9 = -0.45
    #expect(try distance(parameter.tensor, Array(repeating: -0.45, count: 8)) < 4e-3)
  }

  @Test func `options out of range are all named`() throws {
    let parameter = Parameter(wrappedValue: Tensor.zeros([1]))
    let sgd = try #require(throws: TorchError.self) {
      try withErrorScope { _ = SGD([parameter], learningRate: -1, weightDecay: -2, nesterov: true) }
    }
    #expect(sgd.operation == "SGD")
    #expect(sgd.message.contains("learningRate is -1.0"))
    #expect(sgd.message.contains("weightDecay is -2.0"))
    #expect(sgd.message.contains("nesterov needs momentum above 0"))

    let adam = try #require(throws: TorchError.self) {
      try withErrorScope { _ = Adam([parameter], betas: (0.9, 1), epsilon: -1) }
    }
    #expect(adam.message.contains("betas.1 is 1.0; give a number in 0..<1"))
    #expect(adam.message.contains("epsilon is -1.0"))
  }

  @Test func `no parameters, or one given twice, is an error`() throws {
    let empty = try #require(throws: TorchError.self) { try withErrorScope { _ = SGD([AnyParameter]()) } }
    #expect(empty.message == "there are no parameters to optimize")
    let parameter = Parameter(wrappedValue: Tensor.zeros([1]))
    let twice = try #require(throws: TorchError.self) {
      try withErrorScope { _ = SGD(groups: [.init([parameter], names: ["a"]), .init([parameter])]) }
    }
    #expect(twice.message == "parameter 1 is the same as parameter 0 'a'; give each parameter once")
  }
}

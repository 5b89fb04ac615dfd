import Testing
import Torch
import TorchNN

@Suite("Sequential and ModuleList")
struct SequentialTests {
  private func build(_ flag: Bool, depth: Int) -> Sequential {
    Sequential {
      Linear(2, 2)
      if flag { ReLU() }
      if flag { Tanh() } else { Sigmoid() }
      for index in 0..<depth {
        Residual(2)
        if index == 0 { Identity() }
      }
      [SiLU(), GELU()]
    }
  }

  private func types(_ model: Sequential) -> [String] { model.layers.map { "\(type(of: $0))" } }

  @Test("if, if-else, for and arrays add exactly what they should")
  func builder() {
    #expect(
      types(build(true, depth: 2))
        == ["Linear", "ReLU", "Tanh", "Residual", "Identity", "Residual", "SiLU", "GELU"])
    #expect(types(build(false, depth: 0)) == ["Linear", "Sigmoid", "SiLU", "GELU"])
    #expect(Sequential {}.count == 0)
  }

  @Test("layers run in order")
  func order() throws {
    final class Add: Layer<Tensor, Tensor> {
      override func forward(_ input: Tensor) -> Tensor { input + 1 }
    }
    final class Twice: Layer<Tensor, Tensor> {
      override func forward(_ input: Tensor) -> Tensor { input * 2 }
    }
    let model = Sequential([Add(), Twice()])
    #expect(try model(.ones([1])).scalar() == 4)
    model[0] = Twice()
    model.append(Add())
    #expect(try model(.ones([1])).scalar() == 5)
    #expect(model.namedChildren().map(\.name) == ["0", "1", "2"])
  }

  @Test("a subclass keeps its own parameters beside its layers")
  func subclass() {
    final class Scaled: Sequential {
      @Parameter var gain: Tensor = .ones([1])
    }
    let model = Scaled([Linear(1, 1, bias: false)])
    #expect(model.namedParameters().map(\.name) == ["gain", "0.weight"])
  }

  @Test("a list is a collection, and its modules are found")
  func list() {
    final class Model: Module {
      let blocks = ModuleList([Linear(1, 1, bias: false), Linear(2, 2, bias: false)])
    }
    let model = Model()
    model.blocks.append(Linear(3, 3, bias: false))
    model.blocks[0] = Linear(4, 4, bias: false)
    #expect(model.blocks.map(\.weight.count) == [16, 4, 9])
    #expect(model.namedParameters().map(\.name) == ["blocks.0.weight", "blocks.1.weight", "blocks.2.weight"])
    #expect(model.parameters().first?.tensor.count == 16)
  }
}

import Foundation
import Testing
import Torch
import TorchNN

/// Deferred initialisation draws from the default generator, so the tests run in processes of their own.
@Suite("Deferred initialisation against making the tensors at once")
struct DeferredInitializationTests {
  @Test("every layer gets the same numbers, in any order, and the generator goes on as it would")
  func layers() async {
    await #expect(processExitsWith: .success) {
      for (name, make) in DeferredModels.layers { try DeferredModels.compare(name, make) }
    }
  }

  @Test("initial values may be computed, changed in place, read and shared")
  func computations() async {
    await #expect(processExitsWith: .success) {
      for (name, make) in DeferredModels.computed { try DeferredModels.compare(name, make) }
    }
  }

  @Test("shared tensors are shared afterwards, and frozen ones stay frozen")
  func sharing() async {
    await #expect(processExitsWith: .success) {
      let model = try withDeferredInitialization { Tied(8, 4) }
      #expect(model.namedParameters().map(\.name) == ["first.weight"])
      model.freeze()
      try model.materialize()
      #expect(model.first.$weight.tensor === model.second.$weight.tensor)
      #expect(!model.first.$weight.requiresGradient)
      #expect(!model.hasDeferredTensors)
    }
  }

  @Test("a conversion before the values are made is a conversion of the same values")
  func conversion() async {
    await #expect(processExitsWith: .success) {
      TorchRuntime.manualSeed(3)
      let eager = Linear(6, 4)
      eager.to(.bfloat16)
      TorchRuntime.manualSeed(3)
      let deferred = try withDeferredInitialization { Linear(6, 4) }
      deferred.to(.bfloat16)
      #expect(deferred.$weight.tensor.dtype == .bfloat16)
      #expect(deferred.$weight.isDeferred)
      try deferred.materialize()
      #expect(deferred.weight.equals(eager.weight))
      #expect(deferred.weight.dtype == .bfloat16)
    }
  }

  @Test("a parameter made from numbers in memory is named, with the way out")
  func numbersInMemory() async {
    await #expect(processExitsWith: .success) {
      let error = #expect(throws: DeferredInitializationError.self) {
        try withDeferredInitialization {
          let model = Sequential { Linear(200, 200) }
          let layer = try #require(model[0] as? Linear)
          layer.weight = Tensor([Float](repeating: 1, count: 40_000), shape: [200, 200])
          return model
        }
      }
      let text = try #require(error).description
      #expect(text.contains("'0.weight' of shape [200, 200]") && text.contains("Initializer"), "\(text)")
      let copied = #expect(throws: DeferredInitializationError.self) {
        try withDeferredInitialization {
          let layer = Linear(200, 200, bias: false)
          let numbers = Tensor([Float](repeating: 1, count: 40_000), shape: [200, 200])
          withoutGradients { layer.weight.copy(from: numbers) }
          return layer
        }
      }
      #expect(copied?.description.contains("'weight'") == true)
    }
  }

  @Test("a change in place after the scope, which would be lost, is an error that names the parameter")
  func lateChange() async {
    await #expect(processExitsWith: .success) {
      let model = try withDeferredInitialization { Sequential { Linear(3, 3) } }
      let layer = try #require(model[0] as? Linear)
      withoutGradients { layer.weight.fill(1) }
      let error = #expect(throws: DeferredInitializationError.self) { try model.materialize() }
      #expect(error?.description.contains("'0.weight'") == true, "\(String(describing: error))")
      #expect(layer.$weight.isDeferred && !layer.$bias.isDeferred)
    }
  }

  @Test("a state is loaded into a module without memory, which then has it; the rest keeps its initial values")
  func loading() async {
    await #expect(processExitsWith: .success) {
      let source = Tied(8, 4)
      let model = try withDeferredInitialization { Tied(8, 4) }
      try model.load(source.stateDictionary())
      #expect(!model.hasDeferredTensors)
      #expect(model.first.weight.equals(source.first.weight))
      #expect(model.first.$weight.tensor === model.second.$weight.tensor)
      #expect(model.first.weight.storageIdentifier != source.first.weight.storageIdentifier)

      TorchRuntime.manualSeed(5)
      let eager = Linear(4, 4)
      TorchRuntime.manualSeed(5)
      let partly = try withDeferredInitialization { Linear(4, 4) }
      try partly.load(["weight": Tensor.ones([4, 4])], strict: false)
      #expect(!partly.$weight.isDeferred && partly.$bias.isDeferred)
      try partly.materialize()
      #expect(try #require(partly.bias).equals(try #require(eager.bias)))
      #expect(partly.weight.equals(.ones([4, 4])))
    }
  }

  @Test("a model of 50 million parameters takes next to no memory, and is made one parameter at a time")
  func memory() async {
    await #expect(processExitsWith: .success) {
      func resident() throws -> Int {
        let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")[1]
        return (Int(pages) ?? 0) * 4096
      }
      _ = Linear(2, 2)
      let before = try resident()
      let model = try withDeferredInitialization {
        Sequential(
          (0..<7).map { _ in
            Sequential {
              Linear(768, 3072)
              Linear(3072, 768)
              Linear(768, 3072)
            }
          })
      }
      let count = model.parameters().reduce(0) { $0 + $1.tensor.count }
      #expect(count > 49_000_000)
      let after = try resident()
      #expect(after - before < 30 << 20, "\((after - before) >> 20) MB")
      var kept: [Tensor] = []
      for parameter in model.parameters() {
        kept.append(try parameter.initialTensor().flattened()[0..<16].clone())
      }
      let sharded = try resident()
      #expect(sharded - before < 90 << 20, "\((sharded - before) >> 20) MB")
    }
  }
}

/// What is made twice.
enum DeferredModels {
  /// Makes the module at once and deferred, from the same seed, and compares every parameter, buffer and the generator.
  static func compare(_ name: String, _ make: () throws -> Module) throws {
    TorchRuntime.manualSeed(11)
    let eager = try make()
    let eagerState = Generator.default.state
    TorchRuntime.manualSeed(11)
    let deferred = try withDeferredInitialization(make)
    #expect(Generator.default.state.equals(eagerState), "\(name): the generator")
    let expected =
      eager.namedParameters().map { ($0.name, $0.parameter as TensorHolder) }
      + eager.namedBuffers().map { ($0.name, $0.buffer as TensorHolder) }
    let found =
      deferred.namedParameters().map { ($0.name, $0.parameter as TensorHolder) }
      + deferred.namedBuffers().map { ($0.name, $0.buffer as TensorHolder) }
    #expect(found.map(\.0) == expected.map(\.0))
    for ((key, holder), (_, reference)) in zip(found, expected).reversed() {
      #expect(holder.isDeferred, "\(name).\(key) has memory")
      #expect(holder.tensor.device == .meta)
      let values = try holder.initialTensor()
      #expect(values.equals(reference.tensor.detached()), "\(name).\(key)")
      #expect(values.dtype == reference.tensor.dtype)
      #expect(try holder.initialTensor().equals(values), "\(name).\(key) a second time")
    }
    #expect(Generator.default.state.equals(eagerState), "\(name): the generator afterwards")
    try deferred.materialize()
    for ((key, holder), (_, reference)) in zip(found, expected) {
      #expect(holder.tensor.detached().equals(reference.tensor.detached()), "\(name).\(key) afterwards")
      #expect(holder.tensor.requiresGradient == reference.tensor.requiresGradient, "\(name).\(key)")
    }
  }

  static var layers: [(String, () throws -> Module)] {
    [
      ("linear", { Linear(33, 17) }), ("small", { Linear(2, 3) }), ("without bias", { Linear(4, 4, bias: false) }),
      ("conv1d", { Conv1d(4, 6, kernelSize: 3) }), ("conv2d", { Conv2d(4, 8, kernelSize: 3, groups: 2) }),
      ("embedding", { Embedding(50, 8) }), ("padded embedding", { Embedding(50, 8, paddingIndex: 3) }),
      ("batch norm", { BatchNorm2d(7) }), ("batch norm 1d", { BatchNorm1d(7, affine: false) }),
      ("layer norm", { LayerNorm([3, 5]) }), ("group norm", { GroupNorm(2, 6) }),
      (
        "without parameters",
        {
          Sequential {
            Dropout(0.5)
            GELU()
            Flatten()
          }
        }
      ),
      (
        "together",
        {
          Sequential {
            Linear(5, 5)
            LayerNorm(5)
            Residual(5)
            Linear(5, 2)
          }
        }
      ),
      ("everything", { Everything(head: Linear(2, 2)) }),
    ]
  }

  static var computed: [(String, () throws -> Module)] {
    [
      ("arithmetic", { Holder(.randn([5, 4]) * 0.02 + .ones([4])) }),
      ("factories", { Holder(Tensor.cat([.rand([3]), .arange(4).to(.float32), .full([2], 3), .eye(2).flattened()])) }),
      ("range", { Holder(.linspace(from: -1, to: 1, count: 9)) }),
      ("permutation", { Holder(Tensor.randperm(10).to(.float32)) }),
      ("whole numbers", { Holder(Tensor.randint(0..<9, shape: [6]).to(.float32) / 3) }),
      ("constants", { Holder(.uniform(0..<1, shape: [3]) * Tensor([1, 2, 3] as [Float])) }),
      (
        "generator of its own",
        {
          let generator = Generator(seed: 4)
          return Sequential {
            Holder(Initializer.xavierNormal()([8, 9], generator: generator))
            Holder(.normal(shape: [3], generator: generator))
          }
        }
      ),
      ("truncated", { Holder(Initializer.truncatedNormal(deviation: 0.02, low: -0.01, high: 0.03)([40, 3])) }),
      ("far truncated", { Holder(Initializer.truncatedNormal(low: 2.5, high: 3)([40, 3])) }),
      ("kaiming", { Holder(Initializer.kaimingNormal(mode: .fanOut, nonlinearity: .relu)([6, 5, 3, 3])) }),
      (
        "rows changed in place",
        {
          let layer = Linear(6, 6)
          withoutGradients {
            layer.weight.selected(dim: 0, index: 2).fill(7)
            layer.weight.add(1)
            layer.weight[1...3].multiply(by: 2)
          }
          return layer
        }
      ),
      (
        "a number read",
        {
          let layer = Linear(6, 6)
          let largest = try layer.weight.detached().abs().max().scalar()
          withoutGradients { layer.weight.multiply(by: Scalar(0.5 / largest)) }
          return layer
        }
      ),
      (
        "drawn anew",
        {
          let model = Sequential {
            Linear(9, 9)
            Residual(9)
          }
          for (name, parameter) in model.namedParameters() {
            (name.hasSuffix("bias") ? Initializer.zeros : .normal(deviation: 0.02)).fill(parameter.tensor)
          }
          return model
        }
      ),
      (
        "numbered",
        {
          let model = Sequential {
            Linear(300, 300)
            Linear(300, 3)
          }
          for (seed, parameter) in model.parameters().enumerated() {
            Initializer { tensor, _ in
              let values = (0..<tensor.count).map { Float((($0 &* 2_654_435_761) ^ seed) & 0xFFFF) / 65536 - 0.5 }
              tensor.copy(from: Tensor(values, shape: tensor.shape))
            }.fill(parameter.tensor)
          }
          return model
        }
      ),
      (
        "converted",
        {
          let model = Linear(4, 4)
          model.to(.float64)
          return model
        }
      ),
      (
        "parts of one tensor",
        {
          let whole = Tensor.randn([6, 4])
          return Sequential {
            Holder(whole[0..<2])
            Holder(whole[2..<6])
          }
        }
      ),
    ]
  }
}

/// A parameter that is given.
final class Holder: Layer<Tensor, Tensor> {
  @Parameter var value: Tensor
  init(_ value: Tensor) { self.value = value }
  override func forward(_ input: Tensor) -> Tensor { input * value }
}

/// Two layers with one weight.
final class Tied: Module {
  let first: Linear
  let second: Linear
  init(_ inFeatures: Int, _ outFeatures: Int) {
    first = Linear(inFeatures, outFeatures, bias: false)
    second = Linear(inFeatures, outFeatures, bias: false)
    second.weight = first.weight
  }
}

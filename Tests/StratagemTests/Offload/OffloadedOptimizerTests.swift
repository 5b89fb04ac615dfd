import Foundation
import Stratagem
import Testing
import Torch

@Suite("An optimizer with its state in a store is the optimizer, to the bit")
struct OffloadedOptimizerTests {
  /// Parameters whose sizes no sub-group divides.
  final class Shards: Module {
    @Parameter var a: Tensor
    @Parameter var b: Tensor
    @Parameter var c: Tensor
    @Parameter var empty: Tensor
    let other = Linear(9, 7)

    init(_ dtype: DType = .float32) {
      a = Shards.numbers(1000, 1).to(dtype)
      b = Shards.numbers(37, 2).to(dtype)
      c = Shards.numbers(333, 3).to(dtype)
      empty = .zeros([0], dtype: dtype)
      super.init()
      for (index, parameter) in other.parameters().enumerated() {
        parameter.tensor = Shards.numbers(parameter.tensor.count, 4 + index).reshaped(parameter.tensor.shape).to(dtype)
      }
    }

    static func numbers(_ count: Int, _ seed: Int) -> Tensor {
      .randn([count], generator: Generator(seed: UInt64(seed)))
    }

    /// The gradients of a step; some parameters have none in some steps.
    func setGradients(_ step: Int) {
      for (index, parameter) in parameters().enumerated() where parameter.tensor.count > 0 {
        let isLeftOut = (index + step) % 4 == 0
        parameter.gradient =
          isLeftOut
          ? nil
          : Shards.numbers(parameter.tensor.count, 100 * step + index).reshaped(parameter.tensor.shape)
            .to(parameter.tensor.dtype)
      }
    }
  }

  enum Kind: String, Sendable, CaseIterable {
    case adam, adamw, amsgrad, sgd, momentum, nesterov

    func make(_ model: Shards) -> Optimizer {
      switch self {
      case .adam: Adam(model, learningRate: 0.01)
      case .adamw:
        AdamW(groups: [
          Adam.Group([model.$a, model.$b], learningRate: 0.02, weightDecay: 0.1),
          Adam.Group([model.$c, model.$empty] + model.other.parameters(), learningRate: 0.01),
        ])
      case .amsgrad: Adam(model, learningRate: 0.01, amsgrad: true)
      case .sgd: SGD(model, learningRate: 0.1, weightDecay: 0.01)
      case .momentum: SGD(model, learningRate: 0.1, momentum: 0.9, dampening: 0.1)
      case .nesterov: SGD(model, learningRate: 0.1, momentum: 0.9, nesterov: true)
      }
    }
  }

  @Test("elements and state after steps with missing gradients", arguments: Kind.allCases, ShardStoreTests.kinds)
  func sameNumbers(kind: Kind, place: StoreKind) throws {
    let expected = Shards()
    let plain = kind.make(expected)
    for step in 0..<5 {
      expected.setGradients(step)
      plain.step()
    }
    for (size, buffers, stored) in [
      (100, 3, true), (64, 1, false), (400, 2, true), (1 << 20, 4, false), (333, 5, true),
    ] {
      let model = Shards()
      let optimizer = kind.make(model)
      let store = try place.make()
      let offloaded = try OffloadedOptimizer(
        optimizer, in: store, subGroupSize: size, bufferCount: buffers, storesMasters: stored)
      for step in 0..<5 {
        model.setGradients(step)
        try offloaded.step()
        if step == 2 {
          // A checkpoint is written and read in between.
          let state = try offloaded.withState { optimizer.stateDictionary() }
          try offloaded.withState { try optimizer.load(state) }
        }
      }
      for (parameter, reference) in zip(model.parameters(), expected.parameters()) {
        #expect(parameter.tensor.detached().equals(reference.tensor.detached()), "\(size), \(buffers), \(stored)")
        #expect(try offloaded.master(of: parameter).equals(reference.tensor.detached().reshaped([-1])))
      }
      #expect(optimizer.stateDictionary().dictionaryValue?["state"]?.dictionaryValue?.isEmpty == true)
      let state = try offloaded.withState { optimizer.stateDictionary() }
      #expect(describe(state) == describe(plain.stateDictionary()))
      store.close()
    }
  }

  /// All numbers of a state, so that two can be compared.
  private func describe(_ value: ArchiveValue) -> String {
    switch value {
    case .tensor(let tensor): "\(tensor.shape) \((try? tensor.to(.float64).array(as: Double.self)) ?? [])"
    case .dictionary(let entries):
      entries.map { "\($0.key): \(describe($0.value))" }.sorted().joined(separator: ", ")
    case .list(let values): values.map(describe).joined(separator: ", ")
    default: "\(value)"
    }
  }

  @Test("16-bit parameters are updated in 32 bits that only the store has")
  func masters() throws {
    let expected = Shards(.bfloat16)
    let wide = Shards(.bfloat16)
    wide.to(.float32)
    let plain = AdamW(wide, learningRate: 0.01)
    let optimizer = AdamW(expected, learningRate: 0.01)
    let offloaded = try OffloadedOptimizer(
      optimizer, in: try StoreKind.disk(ring: true).make(), subGroupSize: 200, bufferCount: 2)
    #expect(offloaded.storesMasters)
    for step in 0..<4 {
      expected.setGradients(step)
      for (parameter, own) in zip(expected.parameters(), wide.parameters()) {
        own.gradient = parameter.gradient?.to(.float32)
      }
      try offloaded.step()
      plain.step()
    }
    for (parameter, reference) in zip(expected.parameters(), wide.parameters()) {
      #expect(parameter.tensor.dtype == .bfloat16)
      #expect(parameter.tensor.detached().equals(reference.tensor.detached().to(.bfloat16)))
      #expect(try offloaded.master(of: parameter).equals(reference.tensor.detached().reshaped([-1])))
    }
  }

  @Test("gradients and elements that somebody else keeps; memory for a few sub-groups only")
  func callbacks() throws {
    let count = 1 << 20
    let model = Shards()
    model.a = .zeros([count])
    let reference = Shards()
    reference.a = .zeros([count])
    let plain = Adam([reference.$a], learningRate: 0.1)
    reference.$a.gradient = .full([count], 0.5)
    plain.step()

    let offloaded = try OffloadedOptimizer(
      Adam([model.$a], learningRate: 0.1), in: try StoreKind.disk(ring: true).make(), subGroupSize: 1 << 14,
      bufferCount: 3,
      storesMasters: true)
    var ranges: [Range<Int>] = []
    let gathered = Tensor.zeros([count])
    try offloaded.step(
      gradient: { _, range in .full([range.count], 0.5) },
      updated: { parameter, range, elements in
        #expect(parameter === model.$a)
        ranges.append(range)
        gathered.narrowed(dim: 0, start: range.lowerBound, length: range.count).copy(from: elements)
      })
    #expect(ranges.count == 64 && ranges.last?.upperBound == count)
    #expect(gathered.equals(reference.a.detached()))
    #expect(model.a.detached().equals(.zeros([count])))
    // Three buffers of elements and two moments.
    #expect(offloaded.bufferByteCount < 3 * 3 * ((1 << 14) * 4 + 8192))
  }

  @Test("state that the optimizer has already is taken over; sizes out of range are refused")
  func existingState() throws {
    let expected = Shards()
    let plain = Adam(expected, learningRate: 0.01)
    let model = Shards()
    let optimizer = Adam(model, learningRate: 0.01)
    for step in 0..<3 {
      expected.setGradients(step)
      plain.step()
    }
    for step in 0..<2 {
      model.setGradients(step)
      optimizer.step()
    }
    let offloaded = try OffloadedOptimizer(optimizer, in: MemoryShardStore(), subGroupSize: 128)
    model.setGradients(2)
    try offloaded.step()
    for (parameter, reference) in zip(model.parameters(), expected.parameters()) {
      #expect(parameter.tensor.detached().equals(reference.tensor.detached()))
    }
    #expect(throws: ConfigurationError.self) {
      _ = try OffloadedOptimizer(optimizer, in: MemoryShardStore(), subGroupSize: 3)
    }
    #expect(throws: ConfigurationError.self) {
      _ = try OffloadedOptimizer(optimizer, in: MemoryShardStore(), bufferCount: 0)
    }
  }
}

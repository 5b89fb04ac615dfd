import Foundation
import Stratagem
import Testing
import Torch

/// Dropout draws from the default generator, so the tests run in processes of their own.
@Suite("Checkpointed activations against plain runs")
struct ActivationCheckpointTests {
  @Test("losses, gradients, running statistics and random state, to the bit, for layers of all kinds and nested ones")
  func gradients() async {
    await #expect(processExitsWith: .success) {
      for autocast in [false, true] {
        let plain = try MixingModel.run({ _ in }, autocast: autocast)
        let policies: [(String, ActivationCheckpointPolicy)] = [
          ("types", ActivationCheckpointPolicy(layersOf: MixingBlock.self, Splitting.self, Embedder.self)),
          (
            "nested",
            ActivationCheckpointPolicy { name, _ in name == "inner" || name == "inner.0" || name == "inner.2" }
          ),
          ("subclasses", ActivationCheckpointPolicy(layersOf: Linear.self, Embedding.self)),
          ("size", ActivationCheckpointPolicy(minimumParameters: 30)),
          ("everything", ActivationCheckpointPolicy { name, _ in !name.isEmpty && name != "blocks" }),
        ]
        for (name, policy) in policies {
          let found = try MixingModel.run({ try policy.apply(to: $0) }, autocast: autocast)
          #expect(found.keys.sorted() == plain.keys.sorted())
          for (key, value) in plain {
            // The two uses of this block add their gradients in bfloat16 where one conversion of the weights serves both.
            let isAddedUp = autocast && key.hasPrefix("blocks.1.")
            let isSame = found[key].map {
              isAddedUp ? $0.isClose(to: value, relative: 0.02, absolute: 0.02) : $0.equals(value)
            }
            #expect(isSame == true, "\(name), \(autocast): \(key)")
          }
        }
      }
    }
  }

  @Test("an end to it, evaluation without gradients, and frozen layers")
  func plainAgain() throws {
    let layer = Linear(3, 3)
    let handle = try ActivationCheckpoint().attach(to: layer)
    let input = Tensor.ones([2, 3])
    #expect("\(layer(input))".contains("ActivationCheckpoint") || layer(input).requiresGradient)
    #expect(withoutGradients { layer(input) }.isLeaf)
    layer.freeze()
    #expect(!layer(input).requiresGradient)
    handle.remove()
    try ActivationCheckpoint().attach(to: layer)
  }

  @Test("an output that is the input, or a part of it")
  func sharedOutput() throws {
    let flatten = Sequential {
      Flatten()
      Identity()
    }
    try ActivationCheckpoint().attach(to: flatten)
    let input = Tensor.ones([2, 2, 3])
    input.requiresGradient = true
    let doubled = input * 2
    (flatten(doubled) * Tensor.arange(6).to(.float32)).sum().backward()
    #expect(try #require(input.gradient).flattened().array(as: Float.self) == [0, 2, 4, 6, 8, 10, 0, 2, 4, 6, 8, 10])
  }

  @Test("parameters that a strategy hands out anew for each run, whose gradients it collects")
  func gatheredParameters() throws {
    let layer = Linear(4, 3)
    let input = Tensor.arange(8).to(.float32).reshaped(2, 4)
    let loss = { (layer(input) * layer(input)).sum() }
    loss().backward()
    let expected = try #require(layer.$weight.gradient)
    layer.zeroGradients()

    let collected = Collected()
    layer.$weight.reader = { holder in
      collected.reads += 1
      let gathered = holder.tensor.detached().clone()
      gathered.requiresGradient = true
      gathered.onGradientAccumulated { leaf in
        if let gradient = leaf.gradient { collected.sum = collected.sum.map { $0 + gradient } ?? gradient }
      }
      return gathered
    }
    try ActivationCheckpoint().attach(to: layer)
    loss().backward()
    #expect(collected.reads == 4)
    #expect(layer.$weight.gradient == nil)
    #expect(try #require(collected.sum).isClose(to: expected))
    #expect(layer.$bias.gradient != nil)
  }

  @Test("what cannot be checkpointed is refused by name")
  func refusals() throws {
    let model = MixingModel()
    func message(_ policy: ActivationCheckpointPolicy) -> String {
      do {
        try policy.apply(to: model)
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(message(ActivationCheckpointPolicy(layersOf: Conv2d.self)).contains("no layer of type Conv2d"))
    try ActivationCheckpoint().attach(to: model.embedder)
    #expect(message(ActivationCheckpointPolicy(layersOf: Embedder.self)).contains("checkpointed already"))
    #expect(throws: ConfigurationError.self) { try ActivationCheckpoint().attach(to: Odd()) }

    let inPlace = Changing()
    try ActivationCheckpoint().attach(to: inPlace)
    let input = Tensor.ones([2])
    input.requiresGradient = true
    let error = #expect(throws: TorchError.self) { try withErrorScope { _ = inPlace(input * 2) } }
    #expect(error?.message.contains("in place") == true)

    let fickle = Fickle()
    try ActivationCheckpoint().attach(to: fickle)
    let changed = #expect(throws: TorchError.self) { try withErrorScope { fickle(input).sum().backward() } }
    #expect(changed?.message.contains("must do the same twice") == true, "\(String(describing: changed))")
  }

  @Test("memory falls: a deep stack keeps one tensor a block")
  func memory() async {
    // Plain: 12 times 2 x 8 MB and 1 MB; checkpointed: 12 times 1 MB.
    await #expect(processExitsWith: .success) {
      let held = try DeepStack.megabytesAfterForward(checkpointed: false)
      #expect(held > 150, "\(held) MB")
    }
    await #expect(processExitsWith: .success) {
      let held = try DeepStack.megabytesAfterForward(checkpointed: true)
      #expect(held < 40, "\(held) MB")
    }
  }
}

/// What the graph of a forward holds.
private enum DeepStack {
  static func megabytesAfterForward(checkpointed: Bool) throws -> Int {
    let model = Sequential {
      for _ in 0..<12 {
        Sequential {
          Linear(64, 512)
          GELU()
          Linear(512, 64)
        }
      }
    }
    if checkpointed { try ActivationCheckpointPolicy { name, _ in Int(name) != nil }.apply(to: model) }
    let input = Tensor.ones([4096, 64])
    // Code and buffers of libtorch that a first step brings into memory stay there.
    model(input).sum().backward()
    let before = try resident()
    let loss = model(input).sum()
    let after = try resident()
    loss.backward()
    return (after - before) >> 20
  }

  /// The memory of the process without what was freed.
  private static func resident() throws -> Int {
    TorchRuntime.releaseFreedMemory()
    let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")[1]
    return (Int(pages) ?? 0) * 4096
  }
}

private final class Collected {
  var reads = 0
  var sum: Tensor?
}

/// Has an input that nobody can look into.
private final class Odd: Layer<Int, Tensor> {
  override func forward(_ input: Int) -> Tensor { .ones([input]) }
}

/// Changes what it is given.
private final class Changing: Layer<Tensor, Tensor> {
  @Parameter var weight: Tensor = .ones([2])
  override func forward(_ input: Tensor) -> Tensor {
    withoutGradients { input.add(1) }
    return input * weight
  }
}

/// Answers another shape the second time.
private final class Fickle: Layer<Tensor, Tensor> {
  @Parameter var weight: Tensor = .ones([2])
  private var calls = 0
  override func forward(_ input: Tensor) -> Tensor {
    calls += 1
    return calls == 1 ? input * weight : (input * weight).reshaped(2, 1)
  }
}

import Stratagem
import Testing
import Torch

/// Attention-like mixing with what a checkpoint has to get right: dropout, running statistics and several inputs.
final class MixingBlock: Layer<(Tensor, Tensor?), Tensor> {
  let first: Linear
  let norm = BatchNorm1d(6)
  let dropout = Dropout(0.4)
  let second: Linear

  init(_ width: Int) {
    first = Linear(width, 6)
    second = Linear(6, width)
  }

  override func forward(_ input: (Tensor, Tensor?)) -> Tensor {
    var hidden = dropout(norm(first(input.0))).relu()
    if let gate = input.1 { hidden = hidden * gate }
    return input.0 + second(hidden)
  }
}

/// Answers several tensors, one of which has no gradient.
final class Splitting: Layer<Tensor, [String: Tensor]> {
  let linear = Linear(5, 8)
  override func forward(_ input: Tensor) -> [String: Tensor] {
    let hidden = linear(input)
    return ["left": hidden[.all, 0..<4], "right": hidden[.all, 4..<8], "place": hidden.argmax(dim: 1)]
  }
}

/// Embeds numbers, so that nothing that comes in needs a gradient.
final class Embedder: Layer<Tensor, Tensor> {
  let table = Embedding(11, 5)
  override func forward(_ input: Tensor) -> Tensor { table(input) }
}

/// The blocks one after the other.
final class MixingModel: Layer<Tensor, Tensor> {
  let embedder = Embedder()
  let inner = Sequential {
    Linear(5, 5)
    Dropout(0.3)
    Sequential {
      Linear(5, 5)
      Tanh()
    }
  }
  let blocks = [MixingBlock(5), MixingBlock(5)]
  let splitting = Splitting()
  @Parameter var gate: Tensor = .full([6], 0.7)

  override func forward(_ input: Tensor) -> Tensor {
    var hidden = inner(embedder(input))
    for block in blocks { hidden = block((hidden, gate)) }
    hidden = blocks[1]((hidden, nil))
    let parts = splitting(hidden)
    guard let left = parts["left"], let right = parts["right"] else { return hidden }
    return (left * right).sum()
  }

  /// Loss, gradients and buffers of two steps from the same seed.
  static func run(_ prepare: (MixingModel) throws -> Void, autocast: Bool = false) throws -> [String: Tensor] {
    TorchRuntime.manualSeed(21)
    let model = MixingModel()
    try prepare(model)
    TorchRuntime.manualSeed(5)
    let input = Tensor([0, 3, 10, 4, 4, 7, 1, 9] as [Int64])
    var results: [String: Tensor] = [:]
    for step in 0..<2 {
      let loss = autocast ? withAutocast(to: .bfloat16) { model(input) } : model(input)
      loss.to(.float32).backward()
      results["loss \(step)"] = loss.detached()
    }
    for (name, parameter) in model.namedParameters() {
      #expect(parameter.gradient != nil, "\(name)")
      results[name] = parameter.gradient
    }
    for (name, buffer) in model.namedBuffers() { results[name] = buffer.tensor }
    results["random state"] = Generator.default.state
    return results
  }
}

import Stratagem
import Torch
import TorchDistributed
import TorchNN

/// Two training steps and one of evaluation of a BatchNorm layer. The argument is made of words such as `2d plain even`.
extension Probe {
  private func has(_ word: String) -> Bool { argument.split(separator: " ").contains(Substring(word)) }

  private var dtype: DType { has("bfloat16") ? .bfloat16 : has("float32") ? .float32 : .float64 }

  /// The samples of each rank: 12 in all.
  private var counts: [Int] {
    if has("even") { return Array(repeating: 12 / size, count: size) }
    if has("empty") { return size == 2 ? [0, 12] : [7, 0, 5] }
    return [[12], [11, 1], [2, 7, 3]][size - 1]
  }

  private func makeLayer() -> BatchNorm {
    let momentum = has("cumulative") ? nil : 0.1
    let layer =
      has("2d")
      ? BatchNorm2d(3, momentum: momentum, affine: !has("plain"), trackRunningStats: !has("untracked"))
      : BatchNorm1d(3, momentum: momentum, affine: !has("plain"), trackRunningStats: !has("untracked"))
    layer.to(has("mixed") ? .float32 : dtype)
    withoutGradients {
      layer.weight?.copy(from: Tensor([0.5, -1.5, 2.0]))
      layer.bias?.copy(from: Tensor([0.25, 0, -3]))
    }
    return layer
  }

  /// Samples of all ranks, [12, 3] or [12, 3, 2, 2], with means far from zero.
  private func input(step: Int) -> Tensor {
    let values = Tensor.randn(
      [12, 3] + (has("2d") ? [2, 2] : []), dtype: .float64, generator: Generator(seed: 7 + UInt64(step)))
    let offset = Tensor([100.0, -3, 0]).reshaped([3] + (has("2d") ? [1, 1] : []))
    return (values * Double(step + 1) + offset).to(dtype)
  }

  private func run(_ layer: BatchNorm, rows: Range<Int>) throws {
    for step in 0..<2 {
      let all = input(step: step)
      let own = all[rows].clone()
      own.requiresGradient = !has("constant")
      let weights = Tensor.randn(all.shape, dtype: .float64, generator: Generator(seed: 90)).to(dtype)[rows]
      let output = layer(own)
      try withErrorScope { (output * weights).to(.float64).sum().backward() }
      try say("output", output.detached())
      say("type", ["\(output.dtype)"])
      if let gradient = own.gradient { try say("input gradient", gradient) }
    }
    for (name, parameter) in layer.namedParameters() { try say("gradient of \(name)", parameter.gradient!) }
    for (name, buffer) in layer.namedBuffers() { try say(name, buffer.tensor) }
    layer.eval()
    try say("evaluated", layer(input(step: 0)).detached())
  }

  func normalize() throws {
    let group = try group()
    let layer = makeLayer()
    let identity = ObjectIdentifier(layer)
    let keys = Array(layer.stateDictionary().keys)
    let sync = SyncBatchNormalization()
    let model = Sequential { layer }
    sync.apply(to: model, in: group)
    say("applied", [layer.normalizer != nil])
    let start = counts[..<rank].reduce(0, +)
    try run(layer, rows: start..<(start + counts[rank]))
    sync.revert()
    say("reverted", [layer.normalizer == nil])
    say("same", [ObjectIdentifier(layer) == identity && Array(layer.stateDictionary().keys) == keys])
  }

  /// The same in one process with the samples of all.
  func normalizeAlone() throws { try run(makeLayer(), rows: 0..<12) }

  func misuseNormalization() throws {
    let group = try group(timeout: 5)
    let layer = BatchNorm1d(3)
    SyncBatchNormalization().apply(to: layer, in: group)
    sayFailure("channels") { try withErrorScope { _ = layer(.ones([4, 2])) } }
    sayFailure("one value") { try withErrorScope { _ = layer(.ones([rank == 0 ? 1 : 0, 3])) } }
    let input = Tensor.randn([4, 3])
    input.requiresGradient = true
    sayFailure("second derivative") {
      try withErrorScope {
        _ = Tensor.gradients(of: [layer(input).sum()], withRespectTo: [input], createGraph: true)
      }
    }
    say("batches", [try layer.numBatchesTracked!.integer()])
  }
}

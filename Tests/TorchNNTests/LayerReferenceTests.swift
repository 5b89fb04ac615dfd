import OrderedCollections
import Testing
import Torch
import TorchNN

@Suite("Layers against PyTorch")
struct LayerReferenceTests {
  @Test("outputs, gradients and running statistics", arguments: Reference.layers.cases)
  func layer(_ reference: ReferenceCase) throws {
    let layer = try #require(makeLayer(reference), "no layer for \(reference.name)")
    var state = StateDictionary()
    for (key, record) in reference.parameters ?? [:] { state[key] = record.tensor }
    for (key, record) in reference.buffersBefore ?? [:] { state[key] = record.tensor }
    try layer.load(state)
    layer.train(reference.flag("training", default: true))

    let file = Reference.layers
    let input = try #require(reference.inputs["input"]).tensor
    if input.dtype == .float32 { input.requiresGradient = true }
    let output = try withErrorScope { layer(input) }
    try file.expect(output, matches: reference.output, "output")
    try withErrorScope { output.backward(gradient: reference.outputGradient.tensor) }
    if let gradient = reference.inputGradients["input"] {
      try file.expect(input.gradient, matches: gradient, "input gradient")
    }
    let parameters = Dictionary(uniqueKeysWithValues: layer.namedParameters().map { ($0.name, $0.parameter) })
    let gradients = reference.parameterGradients ?? [:]
    #expect(Set(parameters.keys) == Set(gradients.keys))
    for (key, gradient) in gradients {
      try file.expect(parameters[key]?.gradient, matches: gradient, "\(key) gradient")
    }
    let buffers = Dictionary(uniqueKeysWithValues: layer.namedBuffers().map { ($0.name, $0.buffer) })
    for (key, buffer) in reference.buffersAfter ?? [:] {
      try file.expect(buffers[key]?.tensor, matches: buffer, key)
      #expect(buffers[key]?.tensor.dtype.description == buffer.dtype)
    }
  }

  private func makeLayer(_ reference: ReferenceCase) -> Layer<Tensor, Tensor>? {
    switch reference.kind {
    case "Linear":
      guard let input = reference.int("in"), let output = reference.int("out") else { return nil }
      return Linear(input, output, bias: reference.flag("bias", default: true))
    case "Conv2d":
      guard let input = reference.int("in_channels"), let output = reference.int("out_channels") else { return nil }
      return Conv2d(
        input, output, kernelSize: reference.sizes("kernel_size", default: 0),
        stride: reference.sizes("stride", default: 1), padding: reference.sizes("padding", default: 0),
        dilation: reference.sizes("dilation", default: 1), groups: reference.int("groups") ?? 1,
        bias: reference.flag("bias", default: true))
    case "BatchNorm1d", "BatchNorm2d":
      guard let features = reference.int("num_features") else { return nil }
      let epsilon = reference.double("eps") ?? 1e-5
      let momentum = reference.double("momentum") ?? 0.1
      let affine = reference.flag("affine", default: true)
      return reference.kind == "BatchNorm1d"
        ? BatchNorm1d(features, epsilon: epsilon, momentum: momentum, affine: affine)
        : BatchNorm2d(features, epsilon: epsilon, momentum: momentum, affine: affine)
    case "LayerNorm":
      return LayerNorm(
        reference.sizes("normalized_shape", default: 0), epsilon: reference.double("eps") ?? 1e-5,
        bias: reference.flag("bias", default: true))
    case "Embedding":
      guard let count = reference.int("num_embeddings"), let width = reference.int("embedding_dim") else { return nil }
      return Embedding(count, width, paddingIndex: reference.int("padding_idx"))
    case "MaxPool2d":
      let kernelSize = reference.sizes("kernel_size", default: 0)
      let stride = reference.settings["stride"].map { _ in reference.sizes("stride", default: 0) }
      return MaxPool2d(
        kernelSize, stride: stride, padding: reference.sizes("padding", default: 0),
        ceilMode: reference.flag("ceil_mode", default: false))
    case "AvgPool2d":
      let kernelSize = reference.sizes("kernel_size", default: 0)
      let stride = reference.settings["stride"].map { _ in reference.sizes("stride", default: 0) }
      return AvgPool2d(
        kernelSize, stride: stride, padding: reference.sizes("padding", default: 0),
        countIncludePad: reference.flag("count_include_pad", default: true))
    case "AdaptiveAvgPool2d":
      return AdaptiveAvgPool2d(reference.sizes("output_size", default: 0))
    default:
      return nil
    }
  }
}

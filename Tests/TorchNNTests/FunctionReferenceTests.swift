import Testing
import Torch
import TorchNN

@Suite("Functions against PyTorch")
struct FunctionReferenceTests {
  @Test("outputs and gradients", arguments: Reference.functions.cases)
  func function(_ reference: ReferenceCase) throws {
    let inputs = reference.inputs.mapValues(\.tensor)
    for tensor in inputs.values where tensor.dtype == .float32 { tensor.requiresGradient = true }
    let output = try #require(
      try withErrorScope { compute(reference, inputs) }, "no function for \(reference.name)")
    let file = Reference.functions
    try file.expect(output, matches: reference.output, "output")
    try withErrorScope { output.backward(gradient: reference.outputGradient.tensor) }
    for (key, gradient) in reference.inputGradients {
      try file.expect(inputs[key]?.gradient, matches: gradient, "gradient of \(key)")
    }
  }

  private func compute(_ reference: ReferenceCase, _ inputs: [String: Tensor]) -> Tensor? {
    if reference.kind == "scaled_dot_product_attention" {
      guard let query = inputs["query"], let key = inputs["key"], let value = inputs["value"] else { return nil }
      return Functional.scaledDotProductAttention(
        query: query, key: key, value: value, isCausal: reference.flag("is_causal", default: false),
        scale: reference.double("scale"))
    }
    guard let input = inputs["input"] else { return nil }
    if let target = inputs["target"] { return loss(reference, input, target) }
    switch reference.kind {
    case "relu": return ReLU()(input)
    case "leaky-relu": return LeakyReLU()(input)
    case "sigmoid": return Sigmoid()(input)
    case "tanh": return Tanh()(input)
    case "silu": return SiLU()(input)
    case "gelu": return GELU(approximation: reference.word("approximate") == "tanh" ? .tanh : .none)(input)
    case "elu": return Functional.elu(input)
    case "softplus": return Functional.softplus(input)
    case "softmax": return reference.int("dim").map { Softmax(dim: $0)(input) }
    case "log-softmax": return reference.int("dim").map { LogSoftmax(dim: $0)(input) }
    default: return nil
    }
  }

  private func loss(_ reference: ReferenceCase, _ input: Tensor, _ target: Tensor) -> Tensor? {
    let reduction: Functional.Reduction =
      switch reference.word("reduction") {
      case "none": .none
      case "sum": .sum
      default: .mean
      }
    switch reference.kind {
    case "cross_entropy":
      var weight: Tensor?
      if case .list(let weights)? = reference.settings["weight"] { weight = Tensor(weights).to(.float32) }
      return Functional.crossEntropy(
        input, target, weight: weight, ignoreIndex: reference.int("ignore_index") ?? -100, reduction: reduction,
        labelSmoothing: reference.double("label_smoothing") ?? 0)
    case "nll_loss": return Functional.nll(input, target, reduction: reduction)
    case "mse_loss": return Functional.mse(input, target, reduction: reduction)
    case "l1_loss": return Functional.l1(input, target, reduction: reduction)
    case "smooth_l1_loss":
      return Functional.smoothL1(input, target, beta: reference.double("beta") ?? 1, reduction: reduction)
    case "binary_cross_entropy_with_logits":
      return Functional.bceWithLogits(input, target, reduction: reduction)
    default: return nil
    }
  }
}

import Testing
import Torch
import TorchNN
import TorchOptim

/// Updates against PyTorch's, step by step.
struct OptimizerReferenceTests {
  let reference = Reference.shared

  @Test(arguments: Reference.shared.updates, [DType.float32, .float64])
  func `fused updates equal PyTorch's`(_ update: Reference.Update, _ dtype: DType) throws {
    try check(update, dtype) { $0 }
  }

  @Test(arguments: Reference.shared.updates, [DType.float32, .float64])
  func `parameters in another layout are updated alike`(_ update: Reference.Update, _ dtype: DType) throws {
    // A transposed leaf is not contiguous, so no fused kernel takes it. One-dimensional tensors get a stride of 2.
    try check(update, dtype) { tensor in
      let strided =
        tensor.ndim == 2
        ? tensor.transposed.contiguous().transposed
        : Aten.select(Tensor.stack([tensor, tensor], dim: 1), dim: 1, index: 0)
      #expect(!strided.isContiguous)
      return strided
    }
  }

  @Test(arguments: Reference.shared.updates)
  func `tensors of two types in one group are updated alike`(_ update: Reference.Update) throws {
    let parameters = [
      Parameter(wrappedValue: reference.initial[0].tensor(.float32)),
      Parameter(wrappedValue: reference.initial[1].tensor(.float64)),
    ]
    let optimizer = try #require(makeOptimizer(update, parameters))
    try run(update, optimizer, parameters) { (step) throws in
      let expected = [update.float32.after[step]?[0], update.float64.after[step]?[1]]
      for (parameter, values) in zip(parameters, expected) {
        if let values { #expect(try distance(parameter.tensor, values.values) < 1e-5) }
      }
    }
  }

  private func check(_ update: Reference.Update, _ dtype: DType, layout: (Tensor) -> Tensor) throws {
    let run = dtype == .float32 ? update.float32 : update.float64
    let tolerance = dtype == .float32 ? reference.relativeTolerance.float32 : reference.relativeTolerance.float64
    let parameters = reference.initial.map { Parameter(wrappedValue: layout($0.tensor(dtype))) }
    let optimizer = try #require(makeOptimizer(update, parameters))

    var compared = 0
    try self.run(update, optimizer, parameters) { (step) throws in
      for (parameter, expected) in zip(parameters, run.after[step] ?? []) {
        #expect(try distance(parameter.tensor, expected.values) <= tolerance, "step \(step)")
        compared += 1
      }
    }
    #expect(compared == 6)

    let state = try #require(optimizer.stateDictionary()["state"]?.dictionaryValue)
    #expect(Set(state.keys.map(\.description)) == Set(run.state.keys))
    for (index, entries) in run.state {
      let found = try #require(Int(index).flatMap { state[$0]?.dictionaryValue })
      #expect(Set(found.keys) == Set(entries.keys.map { .string($0) }))
      for (key, expected) in entries {
        let tensor = try #require(found[key]?.tensorValue)
        #expect(tensor.shape == expected.shape)
        #expect(try distance(tensor, expected.values) <= tolerance, "\(index) \(key)")
      }
    }
  }

  private func run(
    _ update: Reference.Update, _ optimizer: Optimizer, _ parameters: [Parameter<Tensor>],
    check: (String) throws -> Void
  ) throws {
    for (index, gradients) in reference.gradients.enumerated() {
      for (parameter, gradient) in zip(parameters, gradients) {
        parameter.gradient = gradient.tensor(parameter.tensor.dtype)
      }
      if update.name.hasSuffix("missing-gradient"), index == 1 { parameters[1].gradient = nil }
      optimizer.step()
      try check("\(index + 1)")
    }
  }

  @Test(arguments: Reference.shared.updates)
  func `parameter groups have PyTorch's entries`(_ update: Reference.Update) throws {
    let optimizer = try #require(makeOptimizer(update, reference.parameters(.float32)))
    let groups = try #require(optimizer.stateDictionary()["param_groups"]?.listValue)
    #expect(groups.count == update.paramGroups.count)
    for (group, expected) in zip(groups, update.paramGroups) {
      let entries = try #require(group.dictionaryValue)
      let pairs = entries.map { ($0.key.description.filter { $0 != "'" }, JSON($0.value)) }
      #expect(Dictionary(uniqueKeysWithValues: pairs) == expected.mapValues { JSON?.some($0) })
    }
  }
}

/// The optimizer that a reference case names.
func makeOptimizer(_ update: Reference.Update, _ parameters: [AnyParameter]) -> Optimizer? {
  let options = update.options
  let betas = options.betas.map { ($0[0], $0[1]) } ?? (0.9, 0.999)
  switch update.optimizer {
  case "SGD":
    return SGD(
      parameters, learningRate: options.lr ?? 1e-3, momentum: options.momentum ?? 0, dampening: options.dampening ?? 0,
      weightDecay: options.weightDecay ?? 0, nesterov: options.nesterov ?? false, maximize: options.maximize ?? false)
  case "Adam":
    return Adam(
      parameters, learningRate: options.lr ?? 1e-3, betas: betas, epsilon: options.eps ?? 1e-8,
      weightDecay: options.weightDecay ?? 0, amsgrad: options.amsgrad ?? false, maximize: options.maximize ?? false)
  case "AdamW":
    return AdamW(
      parameters, learningRate: options.lr ?? 1e-3, betas: betas, epsilon: options.eps ?? 1e-8,
      weightDecay: options.weightDecay ?? 1e-2, amsgrad: options.amsgrad ?? false, maximize: options.maximize ?? false)
  default:
    return nil
  }
}

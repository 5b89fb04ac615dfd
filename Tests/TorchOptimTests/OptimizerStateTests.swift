import Foundation
import Testing
import Torch
import TorchNN
import TorchOptim

/// State dictionaries: continuing, files of PyTorch, and states that do not fit.
struct OptimizerStateTests {
  let reference = Reference.shared

  @Test(arguments: Reference.shared.updates)
  func `a restored optimizer continues to the bit`(_ update: Reference.Update) throws {
    let straight = reference.parameters(.float32)
    let whole = try #require(makeOptimizer(update, straight))
    for step in 0..<2 { take(step, whole, straight) }

    let restored = straight.map { Parameter(wrappedValue: $0.tensor.detached().clone()) }
    let optimizer = try #require(makeOptimizer(update, restored))
    optimizer.parameterGroups[0].learningRate = 123
    try optimizer.load(whole.stateDictionary())
    #expect(optimizer.parameterGroups[0].learningRate == whole.parameterGroups[0].learningRate)

    for step in 2..<5 {
      take(step, whole, straight)
      take(step, optimizer, restored)
    }
    for (one, other) in zip(straight, restored) {
      #expect(try one.tensor.array(as: Float.self) == other.tensor.array(as: Float.self))
    }
  }

  private func take(_ step: Int, _ optimizer: Optimizer, _ parameters: [Parameter<Tensor>]) {
    for (parameter, gradient) in zip(parameters, reference.gradients[step]) {
      parameter.gradient = gradient.tensor(parameter.tensor.dtype)
    }
    optimizer.step()
  }

  @Test(arguments: Reference.shared.updates)
  func `an optimizer goes back to a state of its own`(_ update: Reference.Update) throws {
    let parameters = reference.parameters(.float64)
    let optimizer = try #require(makeOptimizer(update, parameters))
    take(0, optimizer, parameters)
    let saved = try copy(optimizer.stateDictionary())
    let before = parameters.map { $0.tensor.detached().clone() }
    let runs = try (0..<2).map { _ in
      withoutGradients { for (parameter, tensor) in zip(parameters, before) { parameter.tensor.copy(from: tensor) } }
      try optimizer.load(saved)
      for step in 1..<4 { take(step, optimizer, parameters) }
      return try parameters.map { try $0.tensor.array(as: Double.self) }
    }
    #expect(runs[0] == runs[1])
    #expect(runs[0] != (try before.map { try $0.array(as: Double.self) }))
  }

  /// The same state on memory of its own.
  private func copy(_ value: ArchiveValue) throws -> ArchiveValue {
    switch value {
    case .tensor(let tensor): return .tensor(tensor.clone())
    case .list(let values): return .list(try values.map(copy))
    case .dictionary(let entries):
      var copied = ArchiveDictionary()
      for (key, entry) in entries { copied[key] = try copy(entry) }
      return .dictionary(copied)
    default: return value
    }
  }

  @Test func `loading copies the tensors`() throws {
    let parameters = reference.parameters(.float32)
    let optimizer = SGD(parameters, learningRate: 0.1, momentum: 0.9)
    take(0, optimizer, parameters)
    let saved = optimizer.stateDictionary()
    let buffer = try #require(saved["state"]?.dictionaryValue?[0]?["momentum_buffer"]?.tensorValue)
    let other = SGD(reference.parameters(.float64), learningRate: 0.1, momentum: 0.9)
    try other.load(saved)
    let copy = try #require(other.stateDictionary()["state"]?.dictionaryValue?[0]?["momentum_buffer"]?.tensorValue)
    #expect(copy.dtype == .float64)
    buffer.zero()
    #expect(try copy.abs().sum().scalar() > 0)
  }

  @Test func `a checkpoint written by PyTorch is taken over`() throws {
    let path = Reference.folder.appending(path: "digits-mlp.ckpt").path
    let checkpoint = try TorchFile.load(path)
    let state = try #require(checkpoint["optimizer_states"]?.listValue?.first)
    let shapes = [[128, 64], [128], [10, 128], [10]]
    let parameters = shapes.map { Parameter(wrappedValue: Tensor.zeros($0)) }
    let isAdam = state["param_groups"]?.listValue?.first?["betas"] != nil
    let optimizer: Optimizer = isAdam ? AdamW(parameters) : SGD(parameters, learningRate: 1, momentum: 0.5)
    try optimizer.load(state)

    let ours = optimizer.stateDictionary()
    let saved = try #require(state["param_groups"]?.listValue?.first?.dictionaryValue)
    let group = try #require(ours["param_groups"]?.listValue?.first?.dictionaryValue)
    for (key, value) in saved where key != .string("fused") && key != .string("foreach") {
      #expect(group[key].flatMap(JSON.init) == JSON(value), "\(key)")
    }
    var compared = 0
    for index in shapes.indices {
      let expected = try #require(state["state"]?.dictionaryValue?[index]?.dictionaryValue)
      for (key, value) in expected {
        guard let tensor = value.tensorValue else { continue }
        let found = try #require(ours["state"]?.dictionaryValue?[index]?.dictionaryValue?[key]?.tensorValue)
        #expect(try found.array(as: Float.self) == tensor.array(as: Float.self))
        compared += 1
      }
    }
    #expect(compared >= 4)
  }

  @Test func `a state that does not fit is refused with every mismatch, and nothing changes`() throws {
    let saver = AdamW(
      [Tensor.zeros([2, 3]), Tensor.zeros([4])].map { Parameter(wrappedValue: $0) }, learningRate: 0.5)
    for parameter in saver.parameters { parameter.gradient = Tensor.ones(parameter.tensor.shape) }
    saver.step()

    let parameters = [Tensor.zeros([3, 2]), Tensor.zeros([5])].map { Parameter(wrappedValue: $0) }
    let group = Adam.Group(parameters, names: ["fc.weight", "fc.bias"], learningRate: 0.1, amsgrad: true)
    group.annotations["initial_lr"] = 0.2
    let optimizer = AdamW(groups: [group])
    let error = try #require(throws: OptimizerStateError.self) { try optimizer.load(saver.stateDictionary()) }
    #expect(
      error.problems == [
        "parameter 0 'fc.weight': 'exp_avg' has shape [2, 3], the parameter [3, 2]",
        "parameter 0 'fc.weight': 'exp_avg_sq' has shape [2, 3], the parameter [3, 2]",
        "parameter 1 'fc.bias': 'exp_avg' has shape [4], the parameter [5]",
        "parameter 1 'fc.bias': 'exp_avg_sq' has shape [4], the parameter [5]",
      ])
    #expect(group.learningRate == 0.1)
    #expect(group.amsgrad)
    #expect(group.annotations["initial_lr"]?.doubleValue == 0.2)
    #expect(optimizer.stateDictionary()["state"]?.dictionaryValue?.isEmpty == true)
  }

  @Test func `other groups, parameters, kinds and missing entries are named`() throws {
    let two = [Tensor.zeros([2]), Tensor.zeros([2])].map { Parameter(wrappedValue: $0) }
    let one = [Parameter(wrappedValue: Tensor.zeros([2]))]
    let sgd = SGD(two, learningRate: 0.1)

    let groups = try #require(throws: OptimizerStateError.self) {
      try sgd.load(SGD(groups: [.init([two[0]]), .init([two[1]])]).stateDictionary())
    }
    #expect(groups.problems == ["it has 2 parameter groups, the optimizer 1"])

    let count = try #require(throws: OptimizerStateError.self) {
      try sgd.load(SGD(one, learningRate: 0.1).stateDictionary())
    }
    #expect(count.problems == ["group 0: it has 1 parameters, the optimizer's has 2"])

    let kind = try #require(throws: OptimizerStateError.self) { try sgd.load(AdamW(two).stateDictionary()) }
    #expect(kind.problems.contains("group 0: 'momentum' is missing"))

    let decay = try #require(throws: OptimizerStateError.self) { try Adam(two).load(AdamW(two).stateDictionary()) }
    #expect(decay.description.contains("load it into AdamW"))

    let nothing = try #require(throws: OptimizerStateError.self) { try sgd.load(.int(3)) }
    #expect(nothing.description.contains("expected a dictionary, found 3"))
  }

  @Test func `a step after a parameter without gradient keeps its own count`() throws {
    let parameters = reference.parameters(.float32)
    let optimizer = AdamW(parameters)
    take(0, optimizer, parameters)
    parameters[1].gradient = nil
    optimizer.step()
    let counts = try (0..<2).map {
      try optimizer.stateDictionary()["state"]?.dictionaryValue?[$0]?["step"]?.tensorValue?.scalar()
    }
    #expect(counts == [2, 1])
  }
}

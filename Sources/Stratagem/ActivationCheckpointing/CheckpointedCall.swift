internal import Torch
internal import TorchNN

/// One call of a checkpointed layer: a forward that records nothing, and a backward that repeats it.
struct CheckpointedCall<Input, Output> {
  let options: ActivationCheckpoint
  let holders: RecomputedHolders
  let forward: (Input) -> Output

  /// What backward has to know, without a tensor: those are kept by the graph.
  private struct Plan {
    /// The input with nothing in its tensors' places.
    let skeleton: Input
    let devices: [Device]
    /// Which tensors of the input need a gradient.
    let differentiable: [Int]
    let hasAnchor: Bool
    let randomState: RandomState?
    let modes: ForwardModes
    /// Which tensors of the output are recorded, and all their shapes.
    let recorded: [Int]
    let shapes: [[Int]]
  }

  func run(_ input: Input) -> Output {
    guard isGradientEnabled else { return forward(input) }
    var inputs: [Tensor] = []
    let nothing = Tensor(owning: nil)
    let skeleton = TensorTree.map(input) {
      inputs.append($0)
      return nothing
    }
    let parameters = holders.plainParameters
    let differentiable = inputs.indices.filter { inputs[$0].requiresGradient }
    let hasAnchor = holders.hasTrainedReaders
    guard !inputs.contains(where: \.isPoisoned), !(differentiable.isEmpty && parameters.isEmpty && !hasAnchor) else {
      return forward(input)
    }

    let versions = inputs.map(\.version)
    let randomState = options.preservesRandomState ? RandomState() : nil
    let modes = ForwardModes()
    // Conversions of weights that are made without gradients must not serve others that need them.
    let output = withoutAutocastCache { withoutGradients { forward(input) } }
    if inputs.map(\.version) != versions {
      _ = Tensor.failed(
        operation: "ActivationCheckpoint",
        message: "the layer changes its input in place, so that its forward cannot be repeated; give it a copy")
    }

    var outputs: [Tensor] = []
    let storages = Set((inputs + parameters).map(\.storageIdentifier))
    let result = TensorTree.map(output) { tensor in
      // What is recorded as a result must be neither an input nor a part of one.
      let isShared = !tensor.isPoisoned && storages.contains(tensor.storageIdentifier)
      outputs.append(isShared ? withoutGradients { tensor.clone() } : tensor)
      return outputs[outputs.count - 1]
    }
    guard !outputs.contains(where: \.isPoisoned) else { return result }
    let recorded = outputs.indices.filter { outputs[$0].dtype.isFloatingPoint }
    guard !recorded.isEmpty else { return result }
    let plan = Plan(
      skeleton: skeleton, devices: inputs.map(\.device), differentiable: differentiable, hasAnchor: hasAnchor,
      randomState: randomState, modes: modes, recorded: recorded, shapes: outputs.map(\.shape))
    record(plan, outputs: recorded.map { outputs[$0] }, inputs, parameters)
    return result
  }

  private func record(_ plan: Plan, outputs: [Tensor], _ inputs: [Tensor], _ parameters: [Tensor]) {
    var anchors: [Tensor] = []
    if plan.hasAnchor {
      // Gradients of parameters that a strategy hands out go to it, not through this operation; still it has to run.
      let anchor = Tensor.zeros([0])
      anchor.requiresGradient = true
      anchors = [anchor]
    }
    let kept = inputs.map { options.keepsInputsOnCPU && $0.device != .cpu ? $0.detached().to(.cpu) : $0 }
    let (holders, forward, count) = (holders, forward, inputs.count)
    Tensor.record(
      "ActivationCheckpoint", outputs: outputs,
      of: plan.differentiable.map { inputs[$0] } + parameters + anchors, saving: kept + parameters
    ) { arguments in
      try Self.backward(
        plan, holders, forward, gradients: arguments.gradients, inputs: Array(arguments.saved[..<count]),
        parameters: Array(arguments.saved[count...]))
    }
  }

  /// Repeats the forward and computes its gradients: those of the inputs, of the parameters, and nothing for the anchor.
  private static func backward(
    _ plan: Plan, _ holders: RecomputedHolders, _ forward: (Input) -> Output, gradients: [Tensor?], inputs: [Tensor],
    parameters: [Tensor]
  ) throws -> [Tensor?] {
    guard !isGradientEnabled else {
      throw TrainingError.unusableStep(
        "a checkpointed layer has no second-order gradients; remove its ActivationCheckpoint, or createGraph")
    }
    let leaves = zip(inputs, plan.devices).map { kept, device in
      kept.device == device ? kept.detached() : kept.detached().to(device)
    }
    for index in plan.differentiable { leaves[index].requiresGradient = true }
    let aliases = parameters.map { $0.replicaAlias() }

    // Checkpoints inside repeat their forwards while these gradients are computed, so the aliases are read until then.
    try holders.recompute(reading: aliases, of: parameters) {
      let again = try repeating(plan) { withGradients { outputs(plan, leaves, forward) } }
      guard again.contains(where: \.isPoisoned) || again.map(\.shape) == plan.shapes else {
        throw TrainingError.unusableStep(
          "a checkpointed layer returned tensors of shapes \(plan.shapes) in forward and \(again.map(\.shape)) when it was "
            + "repeated in backward; its forward must do the same twice")
      }
      var roots: [Tensor] = []
      var seeds: [Tensor] = []
      for (index, gradient) in zip(plan.recorded, gradients) {
        guard let gradient, again[index].requiresGradient else { continue }
        roots.append(again[index])
        seeds.append(gradient)
      }
      if !roots.isEmpty { Tensor.backward(from: roots, gradients: seeds) }
    }
    let answers = plan.differentiable.map { leaves[$0].gradient } + aliases.map(\.gradient)
    return plan.hasAnchor ? answers + [nil] : answers
  }

  /// The tensors of the output for an input of `leaves`.
  private static func outputs(_ plan: Plan, _ leaves: [Tensor], _ forward: (Input) -> Output) -> [Tensor] {
    var next = leaves.makeIterator()
    let input = TensorTree.map(plan.skeleton) { next.next() ?? $0 }
    var outputs: [Tensor] = []
    _ = TensorTree.map(forward(input)) {
      outputs.append($0)
      return $0
    }
    return outputs
  }

  /// Runs the forward under the conditions of the first time.
  private static func repeating<Result>(_ plan: Plan, _ body: () throws -> Result) throws -> Result {
    try plan.modes.apply {
      guard let state = plan.randomState else { return try body() }
      return try state.replay(body)
    }
  }
}

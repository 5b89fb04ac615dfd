import Torch
import TorchDistributed

/// The network, data and options of `Tests/Reference/hooks.py`.
extension Probe {
  private func makeHook(_ name: String) throws -> any CommunicationHook {
    switch name {
    case "none", "allReduce": .allReduce
    case "fp16Compress": .fp16Compress
    case "bf16Compress": .bf16Compress
    case "powerSGD": .powerSGD(startStep: 2, minimumCompressionRate: 1)
    case "powerSGD-2-same-shape":
      .powerSGD(rank: 2, startStep: 2, minimumCompressionRate: 1, batchTensorsWithSameShape: true)
    case "powerSGD-3": .powerSGD(rank: 3, startStep: 2, minimumCompressionRate: 0.5)
    case "powerSGD-cold": .powerSGD(startStep: 2, minimumCompressionRate: 1, warmStart: false, randomSeed: 7)
    case "powerSGD-forgetful":
      .powerSGD(
        rank: 2, startStep: 2, minimumCompressionRate: 1, errorFeedback: false, orthogonalizationEpsilon: 1e-3)
    case "powerSGD-bf16":
      CommunicationWrapper.bf16Compress(PowerSGDHook.powerSGD(startStep: 2, minimumCompressionRate: 1))
    case "batchedPowerSGD": .batchedPowerSGD(startStep: 2)
    case "batchedPowerSGD-3": .batchedPowerSGD(rank: 3, startStep: 2)
    case "quantizePerTensor": .quantizePerTensor
    case "quantizePerChannel": .quantizePerChannel(channelSize: 16)
    case "postLocalSGD": .postLocalSGD(startStep: 3, groupSize: 1)
    case "hierarchical": .postLocalSGD(startStep: 2, groupSize: 2)
    default: try makeClosure(name)
    }
  }

  private func makeClosure(_ name: String) throws -> ClosureHook {
    switch name {
    case "closure":
      .closure("slow mean") { bucket, group in
        try group.pendingAllReduce(bucket.buffer.clone()).map { $0 / Scalar(group.size) }
      }
    case "throws":
      .closure("half-hearted") { bucket, group in
        if group.rank == 1 { throw HookProbeError(description: "the user's hook gives up") }
        return try group.pendingAllReduce(bucket.buffer)
      }
    case "throws-late":
      .closure { bucket, group in
        try group.pendingAllReduce(bucket.buffer).map { _ in throw HookProbeError(description: "too late") }
      }
    case "fails": .closure { bucket, _ in PendingTensor(bucket.buffer.matmul(Tensor.ones([3, 3]))) }
    case "shape": .closure { bucket, _ in PendingTensor(bucket.buffer[0..<3]) }
    default: throw HookProbeError(description: "no hook \(name)")
    }
  }

  private func makeAverager(_ name: String) -> (any ModelAveraging)? {
    switch name {
    case "postLocalSGD": .periodic(period: 2, warmupSteps: 3)
    case "hierarchical":
      .hierarchical([.init(period: 2, groupSize: 2), .init(period: 4, groupSize: 4)], warmupSteps: 2)
    default: nil
    }
  }

  /// Words: the name of a hook, the type of the parameters, and `small` for several buckets, `view`, `static`.
  private var words: [String] { argument.split(separator: " ").map(String.init) }

  private func makeReducer(
    _ network: HookNetwork, _ hook: any CommunicationHook, _ group: ProcessGroup,
    _ layout: GradientReducer.Layout? = nil
  ) throws -> GradientReducer {
    var options = GradientReducer.Options()
    if words.contains("small") {
      options.firstBucketByteCount = 200
      options.bucketByteCount = 600
    }
    options.gradientAsBucketView = words.contains("view")
    options.staticGraph = words.contains("static")
    return try GradientReducer(
      parameters: network.parameters, group: group, options: options, hook: words[0] == "none" ? nil : hook,
      layout: layout)
  }

  /// Ten steps; with `resume` from the sixth on with everything made anew from the state of the hook.
  func trainWithHook() throws {
    let group = try group(timeout: 20)
    let (hook, averager) = (try makeHook(words[0]), makeAverager(words[0]))
    let network = HookNetwork(words[1] == "float32" ? .float32 : .float64)
    try hook.prepare(network.described, in: group)
    try averager?.prepare(in: group)
    var reducer = try makeReducer(network, hook, group)
    for step in 0..<10 {
      if step == 5, words.contains("resume") {
        let state = try hook.state(in: group)
        let layout = reducer.layout
        try hook.prepare(network.described, in: group)
        try hook.load(state, in: group)
        reducer = try makeReducer(network, hook, group, layout)
      }
      try reducer.prepareForForward()
      let loss = network.loss(step: step, part: rank, of: size)
      try reducer.prepareForBackward(outputs: [loss])
      try withErrorScope { loss.backward() }
      try reducer.finishBackward()
      if step == 9 { say("gradient", try network.gradients()) }
      network.step()
      if let averager { _ = try averager.average(network.parameters.map(\.tensor), in: group) }
    }
    say("buckets", [reducer.bucketCount])
    say("parameters", try network.values())
    if let hook = hook as? PowerSGDHook { say("numbers", [hook.statistics.before, hook.statistics.after]) }
  }

  func failInHook() throws { sayFailure("hook") { try trainWithHook() } }

  /// State that another number of ranks wrote keeps the mean of the errors.
  func carryErrors() throws {
    let group = try group()
    let hook = PowerSGDHook.powerSGD(startStep: 2)
    let network = HookNetwork(.float64)
    try hook.prepare(network.described, in: group)
    let errors = [1.0, 2, 6].map { ArchiveValue.tensor(Tensor.full([8], Scalar($0), dtype: .float64)) }
    let bucket: ArchiveValue = .dictionary([
      "names": .list([.string("bias0")]), "counts": .list([.int(8)]), "errors": .list(errors),
    ])
    try hook.load(["step": .int(7), "draws": .int(2), "buckets": .list([bucket])], in: group)
    let state = try hook.state(in: group)
    say("kept", [state["step"]?.intValue ?? -1, state["draws"]?.intValue ?? -1])
    for error in state["buckets"]?.listValue?[0]["errors"]?.listValue ?? [] {
      try say("error", error.tensorValue!)
    }
    sayFailure("unusable") { try hook.load(["step": .int(7)], in: group) }
  }

  func refuseHooks() throws {
    let group = try group(timeout: 10)
    func refuse(_ label: String, _ hook: any CommunicationHook, _ dtype: DType = .float32) {
      sayFailure(label) {
        try hook.prepare([ReducedParameter(name: "fc.weight", shape: [4, 3], dtype: dtype)], in: group)
      }
    }
    refuse("half", .fp16Compress, .bfloat16)
    refuse("quantize", .quantizePerTensor, .float64)
    refuse("channels", .quantizePerChannel(channelSize: 0))
    refuse("rank", .powerSGD(rank: 0))
    refuse("start", .powerSGD(startStep: 1))
    refuse("groups", .postLocalSGD(startStep: 1, groupSize: size + 1))
    sayFailure("period") { try PeriodicModelAverager(period: 0).prepare(in: group) }
    sayFailure("last level") {
      try HierarchicalModelAverager([.init(period: 2, groupSize: size + 1)]).prepare(in: group)
    }
    sayFailure("order") {
      try HierarchicalModelAverager([.init(period: 2, groupSize: size), .init(period: 2, groupSize: size)]).prepare(
        in: group)
    }
    sayFailure("parameters") {
      let width = rank == 1 ? 5 : 3
      try [ReducedParameter(name: "fc.weight", shape: [4, width], dtype: .float32)].requireEqual(in: group)
    }
    sayFailure("more parameters") {
      let names = rank == 1 ? ["a", "b"] : ["a"]
      try names.map { ReducedParameter(name: $0, shape: [1], dtype: .float32) }.requireEqual(in: group)
    }
  }

  func useSubgroups() throws {
    let group = try group()
    let pair = try group.subgroup(ofSize: 2)
    let tensor = Tensor([Float(rank)])
    try pair.allReduce(tensor)
    try say("pair", tensor)
    // A second group of the same ranks, and one that crosses the first.
    let again = try group.subgroup(ofSize: 2)
    try again.broadcast(tensor, from: 1)
    let crossed = try group.subgroup(rank % 2 == 0 ? [2, 0] : [1, 3])
    say("rank", [crossed.rank, crossed.size])
    try crossed.allReduce(tensor)
    try say("crossed", tensor)
    say("whole", [try group.subgroup(ofSize: 4) === group])
    sayFailure("three") { _ = try group.subgroup(ofSize: 3) }
    sayFailure("others") { _ = try group.subgroup([(rank + 1) % 4]) }
  }
}

struct HookProbeError: Error, CustomStringConvertible {
  let description: String
}

/// Four layers with tanh in between.
struct HookNetwork {
  private static let sizes = [4, 8, 8, 8, 2]
  let parameters: [(name: String, tensor: Tensor)]

  init(_ dtype: DType) {
    let generator = Generator(seed: 12)
    parameters = zip(Self.sizes, Self.sizes.dropFirst()).enumerated().flatMap { index, sizes in
      [("weight\(index)", [sizes.0, sizes.1]), ("bias\(index)", [sizes.1])].map { name, shape in
        let value = Tensor.uniform(-0.5..<0.5, shape: shape, dtype: .float64, generator: generator).to(dtype)
        value.requiresGradient = true
        return (name, value)
      }
    }
  }

  var described: [ReducedParameter] {
    parameters.map { ReducedParameter(name: $0.name, shape: $0.tensor.shape, dtype: $0.tensor.dtype) }
  }

  func loss(step: Int, part: Int, of parts: Int) -> Tensor {
    let generator = Generator(seed: UInt64(step))
    let rows = 12 / parts
    let own = (part * rows)..<((part + 1) * rows)
    let dtype = parameters[0].tensor.dtype
    var hidden = Tensor.randn([12, Self.sizes[0]], dtype: .float64, generator: generator)[own].to(dtype)
    let target = Tensor.randn([12, Self.sizes[4]], dtype: .float64, generator: generator)[own].to(dtype)
    for layer in 0..<4 {
      hidden = hidden.matmul(parameters[2 * layer].tensor) + parameters[2 * layer + 1].tensor
      if layer < 3 { hidden = hidden.tanh() }
    }
    return (hidden - target).square().mean()
  }

  func step() {
    withoutGradients {
      for (_, tensor) in parameters {
        if let gradient = tensor.gradient { tensor.add(gradient, scaledBy: -0.5) }
        tensor.gradient = nil
      }
    }
  }

  func values() throws -> [Double] {
    try parameters.flatMap { try $0.tensor.detached().to(.float64).array(as: Double.self) }
  }

  func gradients() throws -> [Double] {
    try parameters.flatMap { try $0.tensor.gradient?.to(.float64).array(as: Double.self) ?? [] }
  }
}

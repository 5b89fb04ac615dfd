import Stratagem
import Torch
import TorchDistributed
import TorchNN
import TorchOptim

extension Probe {
  private func has(_ word: String) -> Bool { argument.split(separator: " ").contains(Substring(word)) }

  private func everyone(timeout: Double = 20) throws -> ProcessSet { ProcessSet(try group(timeout: timeout)) }

  private func optimizer(
    _ parameters: [(name: String, tensor: Tensor)], rate: Double = 0.1, _ set: ProcessSet,
    _ options: DistributedOptimizer.Options = .init(), passes: Int = 1
  ) throws -> DistributedOptimizer {
    let named = parameters.map { (name: $0.name, parameter: Parameter(wrappedValue: $0.tensor) as AnyParameter) }
    return try DistributedOptimizer(
      SGD(named.map(\.parameter), learningRate: rate), named: named, in: set, options: options,
      backwardPassesPerStep: passes)
  }

  /// The ten steps of `train()` with the distributed optimizer; the argument has the words of the mode.
  func trainWithHorovod() throws {
    let model = Model()
    var options = DistributedOptimizer.Options()
    if has("sum") { options.operation = .sum }
    if has("fp16") { options.compression = .fp16 }
    if has("bf16") { options.compression = .bf16 }
    if has("predivide") { options.gradientPredivideFactor = 3 }
    if has("unfused") { options.fusionThreshold = 0 }
    if has("small") { options.fusionThreshold = 300 }
    let mode = ["skip-one", "skip-always"].first(where: has) ?? ""
    let halves = has("accumulate") ? 2 : 1
    // A sum of the gradients is their mean times the number of ranks.
    let optimizer = try optimizer(
      model.parameters, rate: has("sum") ? 0.1 / Double(size) : 0.1, try everyone(), options, passes: halves)
    for step in 0..<10 {
      for half in 0..<halves {
        let loss = model.loss(step: step, part: rank, of: size, half: half, of: halves, mode: mode)
        try withErrorScope { loss.backward() }
      }
      if has("synchronize") {
        try optimizer.synchronize()
        say("has gradients", model.parameters.map { $0.tensor.gradient != nil })
        try optimizer.skipSynchronize { try optimizer.step() }
      } else {
        try optimizer.step()
        say("has gradients", model.parameters.map { $0.tensor.gradient != nil })
      }
      try optimizer.zeroGradients()
    }
    for (name, tensor) in model.parameters { try say(name, tensor) }
  }

  /// Adasum of updates that depend on the rank, of three tensors at once; the argument says which.
  func combineUpdates() throws {
    let shapes = [[5], [3, 2], [1]]
    let tensors = shapes.map { Tensor.zeros($0, dtype: has("float32") ? .float32 : .float64) }
    for tensor in tensors { tensor.requiresGradient = true }
    var options = DistributedOptimizer.Options()
    options.operation = .adasum
    if has("unfused") { options.fusionThreshold = 0 }
    if has("fp16") { options.compression = .fp16 }
    let optimizer = try optimizer(
      zip(["a", "b", "c"], tensors).map { ($0, $1) }, rate: 1, try everyone(), options)
    let generator = Generator(seed: UInt64(rank + 1))
    for (index, tensor) in tensors.enumerated() {
      var update = Tensor.randn(shapes[index], dtype: .float64, generator: generator)
      if has("parallel") { update = Tensor.ones(shapes[index], dtype: .float64) }
      if has("orthogonal") {
        update = Tensor.zeros(shapes[index], dtype: .float64)
        if index == 0 { update[rank].fill(Scalar(Double(rank + 1))) }
      }
      try say("update \(index)", update)
      tensor.gradient = (update * -1.0).to(tensor.dtype)
    }
    try optimizer.step()
    for (index, tensor) in tensors.enumerated() { try say("sum \(index)", tensor.detached()) }
  }

  /// Wrong use, one a word of the argument; each must end with an error on every rank.
  func misuseHorovod() throws {
    var model = Model().parameters
    for (_, tensor) in model { tensor.requiresGradient = true }
    let set = try everyone(timeout: 8)
    var options = DistributedOptimizer.Options()
    if rank == 1, has("lacking") { model.remove(at: 2) }
    if rank == 1, has("shape") { model[2].tensor = leaf([6, 7], .float64) }
    if rank == 1, has("dtype") { model[2].tensor = leaf([6, 6], .float32) }
    if has("bfloat16") { model[1].tensor = leaf([6], .bfloat16) }
    if has("fp16") { options.compression = .fp16 }
    if has("adasum") { options.operation = .adasum }
    if has("predivide") { (options.operation, options.gradientPredivideFactor) = (.sum, 2) }
    if has("duplicate") { model[1].name = model[0].name }
    sayFailure("failure") {
      let optimizer = try optimizer(model, set, options)
      func pass(_ step: Int, mode: String = "") throws {
        let loss = Model(model).loss(step: step, part: rank, of: size, half: 0, of: 1, mode: mode)
        try withErrorScope { loss.backward() }
      }
      try pass(0)
      if has("passes") { try pass(1) }
      if has("zeroing") { try optimizer.zeroGradients() }
      try optimizer.step()
      try optimizer.zeroGradients()
      if rank == 1, has("frozen") { model[3].tensor.requiresGradient = false }
      if rank == 1, has("other") {
        _ = try set.allreduce(Tensor([1.0]), name: "x")
      }
      try pass(2)
      try optimizer.step()
    }
  }

  private func leaf(_ shape: [Int], _ dtype: DType) -> Tensor {
    let tensor = Tensor.zeros(shape, dtype: dtype)
    tensor.requiresGradient = true
    return tensor
  }

  /// Ranks with different numbers of steps: rank r makes `2 + r` or, with `falling`, `2 + size - r` of them.
  func joinEarly() throws {
    let set = try everyone()
    let model = Model()
    var options = DistributedOptimizer.Options()
    if has("small") { options.fusionThreshold = 300 }
    let optimizer = try optimizer(model.parameters, set, options)
    let steps = 2 + (has("falling") ? size - rank : has("even") ? 0 : rank)
    for step in 0..<steps {
      let loss = model.loss(step: step, part: rank, of: size, half: 0, of: 1, mode: "")
      try withErrorScope { loss.backward() }
      try optimizer.step()
      try optimizer.zeroGradients()
      if has("named") {
        try say("named \(step)", try set.allreduce(Tensor([Double(rank + 1)]), name: "n", operation: .sum))
      }
    }
    say("last", [try set.join([optimizer])])
    for (name, tensor) in model.parameters { try say(name, tensor) }
  }

  /// Named collectives.
  func useNamedCollectives() throws {
    let set = try everyone()
    let own = Tensor([Double(rank + 1), Double(2 * rank)])
    try say("average", try set.allreduce(own, name: "a"))
    try say("sum", try set.allreduce(own, name: "s", operation: .sum, prescale: 2, postscale: 10))
    try say("half", try set.allreduce(own.to(.float32), name: "h", operation: .sum, compression: .fp16))
    let first = try set.startAllreduce(own, name: "first", operation: .sum)
    let second = try set.startAllreduce(own * 2.0, name: "second", operation: .sum)
    try say("second", try second.wait())
    try say("first", try first.wait())
    try say("gathered", try set.allgather(Tensor.full([rank + 1, 2], Scalar(rank), dtype: .float64), name: "g"))
    try say("numbers", try set.allgather(Tensor(Double(rank), dtype: .float64), name: "numbers"))
    try say("root", try set.broadcast(own, name: "b", root: size - 1))
    let parts = try set.alltoall(
      Tensor((0..<(size * (size + 1) / 2)).map { Double(100 * rank + $0) }), name: "t",
      splits: (0..<size).map { $0 + 1 })
    try say("parts", parts.rows)
    say("splits", parts.splits)
    try say("unchanged", own)
    for (label, name, shape) in [("names", rank == 1 ? "x" : "y", [2]), ("shapes", "z", [rank == 1 ? 3 : 2])] {
      sayFailure(label) { _ = try set.allreduce(Tensor.zeros(shape, dtype: .float64), name: name) }
    }
    sayFailure("kinds") {
      let tensor = Tensor.zeros([2], dtype: .float64)
      if rank == 1 { _ = try set.allgather(tensor, name: "k") } else { _ = try set.allreduce(tensor, name: "k") }
    }
    sayFailure("integers") { _ = try set.allreduce(Tensor([1, 2]), name: "i") }
    sayFailure("root outside") { _ = try set.broadcast(own, name: "r", root: size) }
    sayFailure("splits wrong") { _ = try set.alltoall(own, name: "w", splits: [Int](repeating: 7, count: size)) }
    try say("afterwards", try set.allreduce(own, name: "end", operation: .sum))
  }
}

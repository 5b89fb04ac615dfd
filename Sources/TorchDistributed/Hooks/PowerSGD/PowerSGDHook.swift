internal import Torch

/// Gradients as products of two narrow matrices: PowerSGD.
///
/// A matrix M [n, m] of a gradient crosses the ranks as P = MQ [n, r] and Q = MᵀP [m, r], each averaged over the ranks, P
/// made orthonormal in between; the gradient becomes PQᵀ. That is (n+m)r numbers instead of nm. What the product lacks is
/// added to the gradient of the next step (error feedback), and Q starts from that of the last step (warm start).
///
/// Gradients of more than two dimensions are matrices of their first one and the rest. Those that would not become
/// smaller, as biases, are averaged as they are, and so is everything in the first steps.
///
/// See "PowerSGD: Practical Low-Rank Gradient Compression for Distributed Optimization",
/// https://arxiv.org/abs/1905.13727, and PyTorch's `powerSGD_hook` and `batched_powerSGD_hook`, whose numbers these are.
public final class PowerSGDHook: CommunicationHook {
  /// PyTorch's `PowerSGDState`.
  public struct Options: Hashable, Sendable {
    /// The number of columns r of P and Q, at least 1; PyTorch's `matrix_approximation_rank`.
    public var rank = 1
    /// How many steps are averaged without compression first; PyTorch's `start_powerSGD_iter`. At least 2 with error
    /// feedback or warm start, because buckets are arranged anew after the first step.
    public var startStep = 1000
    /// Compress a gradient when its numbers become fewer by more than this factor; PyTorch's `min_compression_rate`.
    public var minimumCompressionRate = 2.0
    public var errorFeedback = true
    public var warmStart = true
    /// What is added to the norms that one or two columns are divided by.
    public var orthogonalizationEpsilon = 0.0
    /// Of the first Q.
    public var randomSeed = 0
    /// Multiply the gradients of the same shape in a bucket at once.
    public var batchTensorsWithSameShape = false
    /// Compress each bucket as one square matrix: faster, and less exact.
    public var isBatched = false

    public init() {}
  }

  public let options: Options
  /// Steps so far.
  var step = 0
  /// How many seeds were drawn.
  var draws = 0
  private var twister: MersenneTwister
  var memories: [LowRankMemory] = []
  /// Numbers that gradients had, and that crossed the ranks for them, in compressed steps.
  public internal(set) var statistics = (before: 0, after: 0)

  public init(_ options: Options = Options()) {
    self.options = options
    twister = MersenneTwister(seed: UInt32(truncatingIfNeeded: options.randomSeed))
  }

  public var name: String { options.isBatched ? "batchedPowerSGD" : "powerSGD" }

  public func prepare(_ parameters: [ReducedParameter], in group: ProcessGroup) throws {
    try checkOptions()
    try require(
      [.float32, .float64, .float16, .bfloat16], of: parameters, instead: "use a hook that does not compute with them")
    reset()
  }

  private func checkOptions() throws(CommunicationHookError) {
    func refuse(_ problem: String, _ suggestion: String) -> CommunicationHookError {
      CommunicationHookError(hook: name, problem: problem, suggestion: suggestion)
    }
    if options.rank < 1 { throw refuse("has rank \(options.rank)", "give at least 1") }
    if options.startStep < 2, options.errorFeedback || options.warmStart {
      throw refuse(
        "starts in step \(options.startStep), but errors and factors can be kept only when the buckets are arranged",
        "give startStep: 2 or more, or turn off errorFeedback and warmStart")
    }
    if options.startStep < 0 { throw refuse("has startStep \(options.startStep)", "give at least 0") }
    if !(options.minimumCompressionRate > 0) {
      throw refuse("has minimumCompressionRate \(options.minimumCompressionRate)", "give a number above 0")
    }
    if !(options.orthogonalizationEpsilon >= 0) {
      throw refuse("has orthogonalizationEpsilon \(options.orthogonalizationEpsilon)", "give at least 0")
    }
    if UInt32(exactly: options.randomSeed) == nil {
      throw refuse("has randomSeed \(options.randomSeed)", "give a number from 0 to \(UInt32.max)")
    }
  }

  func reset() {
    step = 0
    draws = 0
    twister = MersenneTwister(seed: UInt32(truncatingIfNeeded: options.randomSeed))
    memories = []
    statistics = (0, 0)
  }

  public func callAsFunction(_ bucket: GradientBucket, in group: ProcessGroup) throws -> PendingTensor {
    let isCompressed = step >= options.startStep
    if bucket.isLast { step += 1 }
    guard isCompressed else { return try AllReduceHook.mean(of: bucket.buffer, in: group) }
    return options.isBatched ? try reduceWhole(bucket, in: group) : try reduceLayers(bucket, in: group)
  }

  /// The seed of the next random numbers, the same on all ranks.
  func drawSeed() -> UInt64 {
    draws += 1
    return UInt64(twister.number(below: 1_000_000_000))
  }

  /// What is kept for a bucket. Errors follow their parameters when buckets are arranged anew.
  func memory(of bucket: GradientBucket) -> LowRankMemory {
    if let known = memories.first(where: { $0.names == bucket.names }) { return known }
    let memory = LowRankMemory(bucket.names, counts: bucket.parameters.map(\.count))
    let names = Set(bucket.names)
    let former = memories.filter { !names.isDisjoint(with: $0.names) }
    if former.contains(where: { $0.error != nil }) {
      let errors = former.reduce(into: [:]) { $0.merge($1.errors()) { first, _ in first } }
      memory.error = .cat(
        zip(bucket.names, bucket.parameters).map { name, parameter in
          errors[name] ?? .zeros([parameter.count], dtype: bucket.buffer.dtype, device: bucket.buffer.device)
        })
    }
    memories.removeAll { former.contains($0) }
    memories.append(memory)
    return memory
  }
}

/// What PowerSGD keeps of a bucket from step to step.
final class LowRankMemory: Equatable {
  let names: [String]
  let counts: [Int]
  /// What the last step lacked on this rank, in the order of the parameters; more may follow.
  var error: Tensor?
  /// The factors Q, one after the other; the same on all ranks.
  var q: Tensor?

  init(_ names: [String], counts: [Int]) {
    self.names = names
    self.counts = counts
  }

  /// The errors by parameter.
  func errors() -> [String: Tensor] {
    guard let error else { return [:] }
    var start = 0
    return zip(names, counts).reduce(into: [:]) { errors, entry in
      errors[entry.0] = error.narrowed(dim: 0, start: start, length: entry.1)
      start += entry.1
    }
  }

  static func == (left: LowRankMemory, right: LowRankMemory) -> Bool { left === right }
}

extension CommunicationHook where Self == PowerSGDHook {
  /// Gradients as products of narrow matrices; see ``PowerSGDHook``.
  ///
  /// - Parameters:
  ///   - rank: the columns of the matrices, at least 1: more is more exact and more on the wire.
  ///   - startStep: how many steps are averaged as they are first, at least 2.
  public static func powerSGD(
    rank: Int = 1, startStep: Int = 1000, minimumCompressionRate: Double = 2, errorFeedback: Bool = true,
    warmStart: Bool = true, orthogonalizationEpsilon: Double = 0, randomSeed: Int = 0,
    batchTensorsWithSameShape: Bool = false
  ) -> PowerSGDHook {
    var options = PowerSGDHook.Options()
    options.rank = rank
    options.startStep = startStep
    options.minimumCompressionRate = minimumCompressionRate
    options.errorFeedback = errorFeedback
    options.warmStart = warmStart
    options.orthogonalizationEpsilon = orthogonalizationEpsilon
    options.randomSeed = randomSeed
    options.batchTensorsWithSameShape = batchTensorsWithSameShape
    return PowerSGDHook(options)
  }

  /// Buckets as products of narrow matrices; see ``PowerSGDHook``.
  public static func batchedPowerSGD(
    rank: Int = 1, startStep: Int = 1000, errorFeedback: Bool = true, warmStart: Bool = true,
    orthogonalizationEpsilon: Double = 0, randomSeed: Int = 0
  ) -> PowerSGDHook {
    var options = PowerSGDHook.Options()
    options.isBatched = true
    options.rank = rank
    options.startStep = startStep
    options.errorFeedback = errorFeedback
    options.warmStart = warmStart
    options.orthogonalizationEpsilon = orthogonalizationEpsilon
    options.randomSeed = randomSeed
    return PowerSGDHook(options)
  }
}

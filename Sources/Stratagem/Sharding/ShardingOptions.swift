public import Torch

/// What the sharding engine partitions over the ranks, and how: the one engine behind every sharded strategy.
///
/// See "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models", https://arxiv.org/abs/1910.02054, and
/// "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel", https://arxiv.org/abs/2304.11277.
public struct ShardingOptions {
  /// What is partitioned; each stage includes those before it.
  public enum Stage: Int, Sendable, Hashable, Comparable, CaseIterable {
    /// The state of the optimizers: each rank updates its part of the parameters.
    case optimizerState = 1
    /// Gradients are reduced to the rank that updates with them, and not kept elsewhere.
    case gradients = 2
    /// Parameters are gathered when they are needed.
    case parameters = 3

    public static func < (first: Stage, second: Stage) -> Bool { first.rawValue < second.rawValue }
  }

  public var stage: Stage
  /// How elements are dealt to the ranks.
  public var layout = ShardLayout.flat
  /// Which modules are gathered on their own; only for ``Stage/parameters``.
  public var wrapPolicy = WrapPolicy.automatic()
  /// Whether a unit is freed between its forward and its backward; otherwise after its backward only.
  public var reshardAfterForward = true
  /// Among how many ranks a copy of the model is partitioned; nil for all. It must divide the number of ranks.
  public var shards: Int?
  /// How many copies of the model there are; nil for what the number of shards leaves.
  public var replicas: Int?
  /// The type that parameters are gathered and computed with in; nil for their own.
  public var parameterType: DType?
  /// The type of the elements that the optimizer updates; nil for that of the parameters.
  public var masterType: DType?
  /// The type in which gradients cross the ranks; nil for float32, or that of the parameters when it has more bits.
  public var reduceType: DType?
  /// The bytes of what is reduced together, where it is not a unit.
  public var bucketByteCount = 25 << 20
  /// Parameters with fewer elements stay gathered on all ranks.
  public var persistenceThreshold = 0
  /// Gather the next unit while one computes, in forward and in backward.
  public var prefetchesForward = true
  public var prefetchesBackward = true
  /// How many gathered units may be in memory before they are used.
  public var maximumPrefetches = 1
  /// How many units' gradients may be on their way at once.
  public var maximumReductions = 1
  /// Reduce after every micro-batch and add the results up in the shards: more communication, and no memory for whole
  /// gradients between the micro-batches.
  public var reducesEveryMicroBatch = false
  /// Allow parameters that the loss does not depend on: the ranks agree in every step on which have a gradient.
  public var findUnusedParameters = true
  /// Keep the shards, their gradients and with them the state of the optimizers in the memory of the host.
  public var offloadsToHost = false
  /// Keep the shards and their gradients on disk between their uses; nil for memory. Only for ``Stage/parameters``.
  public var parameterStore: ParameterStoreOptions?
  /// The most bytes that the model may take on a rank while it trains; nil for the memory that is free at the start.
  public var memoryLimit: Int?

  public init(_ stage: Stage) { self.stage = stage }

  /// What decides on the order and the sizes of what crosses the ranks, and so must be the same on all of them.
  var sharedSettings: [String] {
    func text(_ value: (some Any)?) -> String { value.map { "\($0)" } ?? "nil" }
    return [
      "stage: \(stage)", "layout: \(layout)", "reshardAfterForward: \(reshardAfterForward)", "shards: \(text(shards))",
      "replicas: \(text(replicas))", "parameterType: \(text(parameterType))", "masterType: \(text(masterType))",
      "reduceType: \(text(reduceType))", "prefetchesForward: \(prefetchesForward)",
      "prefetchesBackward: \(prefetchesBackward)", "maximumPrefetches: \(maximumPrefetches)",
      "reducesEveryMicroBatch: \(reducesEveryMicroBatch)", "findUnusedParameters: \(findUnusedParameters)",
      "parameters on disk: \(parameterStore != nil)",
    ]
  }

  /// Where the ranks stand.
  func mesh(worldSize: Int) throws(ConfigurationError) -> ShardMesh {
    switch (replicas, shards) {
    case (nil, nil): ShardMesh(all: worldSize)
    case (let replicas?, let shards?): try ShardMesh(replicas: replicas, shards: shards, worldSize: worldSize)
    case (nil, let shards?):
      try ShardMesh(replicas: max(1, worldSize / max(1, shards)), shards: shards, worldSize: worldSize)
    case (let replicas?, nil):
      try ShardMesh(replicas: replicas, shards: max(1, worldSize / max(1, replicas)), worldSize: worldSize)
    }
  }

  /// The problems that can be seen without a model.
  func check() throws(ConfigurationError) {
    var problems: [ConfigurationError.Problem] = []
    for (name, type) in [("parameterType", parameterType), ("masterType", masterType), ("reduceType", reduceType)] {
      if let type, !type.isFloatingPoint {
        problems.append(
          .init(
            name, "\(name) is \(type); parameters and gradients are real numbers",
            suggestion: "give a floating-point type"))
      }
    }
    for (name, value) in [
      ("bucketByteCount", bucketByteCount), ("maximumPrefetches", maximumPrefetches),
      ("maximumReductions", maximumReductions),
    ] where value < 1 {
      problems.append(.init(name, "\(name) is \(value)", suggestion: "give at least 1"))
    }
    if persistenceThreshold < 0 {
      problems.append(
        .init("persistenceThreshold", "persistenceThreshold is \(persistenceThreshold)", suggestion: "give at least 0"))
    }
    if let parameterStore {
      if stage != .parameters {
        problems.append(
          .init(
            "parameterStore", "parameters are to be kept on disk, and only stage 3 partitions them",
            suggestion: "use stage 3"))
      }
      problems += parameterStore.problems
    }
    if let error = ConfigurationError(problems) { throw error }
  }
}

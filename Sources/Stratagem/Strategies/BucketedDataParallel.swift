internal import Torch
internal import TorchDistributed
internal import TorchNN

/// Reduction in buckets while backward runs, by c10d's `Reducer`.
final class BucketedDataParallel: DistributedDataParallel {
  private var reducer: GradientReducer
  private let makeReducer: (GradientReducer.Layout?) throws -> GradientReducer
  /// Whether a forward is followed by one backward; otherwise each backward is prepared for anew.
  private let stepsAutomatically: Bool

  /// - Parameter hook: what reduces the buckets instead of an all-reduce.
  /// - Throws: ``ConfigurationError`` when there is nothing to train or the hook cannot reduce it, `DistributedError` when
  ///   the ranks train different parameters.
  init(
    _ module: AnyLightningModule, _ group: ProcessGroup, _ reduction: GradientReducer.Options, broadcastBuffers: Bool,
    hook: (any CommunicationHook)?
  ) throws {
    let trained = module.namedParameters().filter { $0.parameter.requiresGradient }
    guard !trained.isEmpty else {
      throw ConfigurationError(
        "strategy", "ddp has nothing to do: no parameter of \(type(of: module)) requires a gradient",
        suggestion: "unfreeze a parameter, or validate instead of fitting")
    }
    stepsAutomatically = module.automaticOptimization
    let tensors = trained.map { (name: $0.name, tensor: $0.parameter.tensor) }
    let described = tensors.map { ReducedParameter(name: $0.name, shape: $0.tensor.shape, dtype: $0.tensor.dtype) }
    try described.requireEqual(in: group)
    try ConfigurationError.ofHooks { try hook?.prepare(described, in: group) }
    makeReducer = { layout in
      try GradientReducer(parameters: tensors, group: group, options: reduction, hook: hook, layout: layout)
    }
    reducer = try makeReducer(nil)
    super.init(module, group, broadcastBuffers: broadcastBuffers)
  }

  /// The buckets as they go into a checkpoint: a hook that keeps something for each goes on exactly only with the same.
  var layoutArchive: ArchiveValue { .list(reducer.layout.map { names in .list(names.map { .string($0) }) }) }

  /// Begins with the buckets of a checkpoint. Called before the first forward.
  func restore(_ layout: ArchiveValue?) throws {
    guard let buckets = layout?.listValue else { return }
    reducer = try makeReducer(buckets.map { $0.listValue?.compactMap(\.stringValue) ?? [] })
  }

  override func willRunForward() throws {
    if stepsAutomatically { try reducer.prepareForForward() }
    try super.willRunForward()
  }

  override func willRunBackward(from loss: Tensor) throws {
    if !stepsAutomatically { try reducer.prepareForForward() }
    try reducer.prepareForBackward(outputs: [loss])
  }

  override func didRunBackward() throws { try reducer.finishBackward() }
}

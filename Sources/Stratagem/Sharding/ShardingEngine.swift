internal import Torch
internal import TorchDistributed
internal import TorchNN

/// The ZeRO engine: partitions the parameters of a module, their gradients and the state of their optimizers over the ranks.
///
/// From its creation until ``restore()`` the properties of the module hold this rank's elements of each parameter, and
/// optimizers update those; what the module reads is the whole parameter, gathered when it is needed. Every method that is
/// said to be called on all ranks is a collective.
///
/// ```
/// training step:  willRunForward(), forward, willRunBackward(), backward, finishBackward()
/// update:         optimizer.step(), didUpdate(parameters)
/// ```
public final class ShardingEngine {
  let module: Module
  let options: ShardingOptions
  let groups: ShardGroups
  /// In the order of the model.
  let units: [ShardedUnit]
  /// Where the parameters of units are that are not in memory between their uses.
  let parameterStore: ParameterStore?
  /// The unit and place of a parameter, by the properties that hold it.
  let places: [ObjectIdentifier: (unit: Int, index: Int)]
  private var handles: [HookHandle] = []
  /// Whether the properties of the module hold this rank's elements.
  private(set) var isActive = true
  /// Whether the module had no memory for its parameters on some rank, and they are partitioned: then no rank is to hold all
  /// of it, also after a run.
  let isDeferred: Bool
  /// Whether the properties go on to hold this rank's elements after a run.
  var isKept = false

  /// What went wrong where nothing can be thrown.
  var failure: (any Error)?

  // Forward and backward under way; see the extensions.
  var phase = Phase.idle
  /// The units in the order in which the forward under way has used them, and that of the forward before.
  var order: [Int] = []
  var lastOrder: [Int] = []
  /// In which order the gradients of units are reduced.
  var reductionOrder: [Int]
  var isReductionOrderAgreed = false
  /// The units in the order in which their gradients were complete.
  var arrivalOrder: [Int] = []
  var nextReduction = 0
  var reducing: [Int] = []
  var isSynchronizing = true
  /// Whether leaves have gradients of micro-batches before.
  var hasLocalGradients = false
  var inputHooks: [Int: [GradientHook]] = [:]
  var evaluation: EvaluationRounds?

  enum Phase {
    case idle, forward, backward
  }

  /// Partitions the parameters of `module`. Called on all ranks; the numbers of rank 0 count.
  ///
  /// - Parameters:
  ///   - device: where parameters are that have no memory yet.
  ///   - place: where the processes meet; nil for a single one.
  ///   - initial: the whole value of a parameter, asked for on rank 0.
  /// - Throws: ``ConfigurationError`` for options that do not fit the model or the number of ranks.
  init(
    _ module: Module, _ options: ShardingOptions, device: Device = .cpu, place: ProcessWorld?, group: ProcessGroup?,
    timeout: Double,
    initial: @escaping (AnyParameter) throws -> Tensor
  ) throws {
    self.module = module
    self.options = options
    try options.check()
    guard module.parameters().allSatisfy({ $0.wholeShape == nil }) else {
      throw ConfigurationError(
        "strategy", "the parameters of \(type(of: module)) are still partitioned by an earlier run of another trainer",
        suggestion: "go on with that trainer, or load a checkpoint into a new module")
    }
    let mesh = try options.mesh(worldSize: group?.size ?? 1)
    let plan =
      options.stage == .parameters
      ? try ShardingPlan(
        wrapping: module, options.wrapPolicy, persistence: options.persistenceThreshold,
        buckets: options.bucketByteCount, home: device)
      : try ShardingPlan(buckets: options.bucketByteCount, of: module, home: device)
    var loads = Array(repeating: 0, count: mesh.shards)
    let partitions = plan.units.map { unit in
      UnitPartition(
        counts: unit.parameters.map(\.count), ranks: mesh.shards, layout: options.layout, loads: &loads)
    }
    let hasDeferred = module.parameters().contains { $0.tensor.device.kind == .meta }
    isDeferred = try ShardingEngine.check(plan, options, hasDeferred: hasDeferred, group)
    groups = try ShardGroups(
      mesh: mesh, place: place, group: group, timeout: timeout,
      units: plan.units.map { $0.name.isEmpty ? "the unit of '\($0.parameters[0].name)'" : "unit '\($0.name)'" })
    let groups = groups
    let store = try options.parameterStore.map { try ParameterStore($0, agreeingIn: group) }
    let stored = try zip(plan.units, partitions).map { unit, partition -> StoredUnit? in
      guard let store, unit.isFreed, !store.keepsInMemory(partition.shardCounts.max() ?? 0) else { return nil }
      return try StoredUnit(
        unit.parameters, partition.pieces[groups.shard], dtype: unit.masterType(options), in: store)
    }
    try store?.store.prepare()
    parameterStore = store
    units = try Tensor.outsideModes {
      try plan.units.indices.map { number in
        try ShardedUnit(number, plan.units[number], partitions[number], groups, options, stored: stored[number]) {
          try initial($0.holder)
        }
      }
    }
    try store?.flush()
    var places: [ObjectIdentifier: (unit: Int, index: Int)] = [:]
    for (number, unit) in units.enumerated() {
      for (index, parameter) in unit.parameters.enumerated() {
        for holder in parameter.holders { places[ObjectIdentifier(holder)] = (number, index) }
      }
    }
    self.places = places
    reductionOrder = Array(units.indices.reversed())
    attach()
    // The whole parameters are gone: their memory is not to add to what training needs.
    TorchRuntime.releaseFreedMemory()
  }

  /// Lets the properties read gathered parameters, and follows the calls of the units' modules.
  private func attach() {
    var observed: [ObjectIdentifier: (module: Module, units: [Int])] = [:]
    var sequence: [ObjectIdentifier] = []
    for (number, unit) in units.enumerated() {
      for (index, parameter) in unit.parameters.enumerated() {
        for holder in parameter.holders {
          holder.reader = { [unowned self] holder in read(number, index, holder) }
          holder.writer = { [unowned self] _, tensor in write(number, index, tensor) }
          (holder).gradientWasDropped = { [unowned self] in dropLocalGradient(number, index) }
        }
      }
      guard let module = unit.module, module !== self.module, module.isCalledThroughLibrary else { continue }
      let key = ObjectIdentifier(module)
      if observed[key] == nil { sequence.append(key) }
      observed[key, default: (module, [])].units.append(number)
    }
    for key in sequence {
      guard let (module, numbers) = observed[key] else { continue }
      handles += module.observeCalls(
        CallObserver(
          before: { [unowned self] input in willCall(numbers, input) },
          after: { [unowned self] output in didCall(numbers, output) }))
    }
  }

  /// What a property reads as.
  private func read(_ number: Int, _ index: Int, _ holder: TensorHolder) -> Tensor {
    let unit = units[number]
    if !unit.isPresent {
      do { try makePresent(number) } catch {
        return Tensor.failed(operation: "gathering '\(unit.parameters[index].name)'", message: "\(error)")
      }
    }
    let leaf = unit.leaves[index]
    let isTrained = unit.shards[index].requiresGradient
    if leaf.requiresGradient != isTrained { leaf.requiresGradient = isTrained }
    if isTrained, unit.hooks[index] == nil {
      unit.hooks[index] = leaf.onGradientAccumulated { [unowned self] _ in gradientArrived(number, index) }
    }
    return leaf
  }

  /// Takes the elements of this rank from a tensor that is assigned to a property.
  private func write(_ number: Int, _ index: Int, _ tensor: Tensor?) -> Bool {
    let unit = units[number]
    let parameter = unit.parameters[index]
    guard let tensor, tensor.shape == parameter.shape else {
      _ = Tensor.failed(
        operation: "assignment to '\(parameter.name)'",
        message: "it is partitioned over the ranks as \(parameter.shape), and cannot become "
          + (tensor.map { "\($0.shape)" } ?? "nil") + " during a run")
      return true
    }
    attempt {
      try unit.settle()
      try unit.load(index, tensor)
    }
    unit.markStale()
    return true
  }

  /// Gathers a unit, or waits for it to be gathered. Called on all ranks that share a copy.
  func makePresent(_ number: Int) throws {
    // What went wrong before ends the step; until then nothing is asked of the others.
    if let failure { throw failure }
    let unit = units[number]
    if unit.isAbsent {
      try evaluation?.announce(number)
      try unit.startGather()
    }
    try unit.finishGather()
  }

  /// Whether parameters have no whole value on this rank between steps.
  var freesParameters: Bool { options.stage == .parameters }

  /// Brings the whole parameters back into the properties. Called on all ranks.
  func restore() throws {
    guard isActive else { return }
    try Tensor.outsideModes {
      for number in units.indices {
        let unit = units[number]
        let wholes = try unit.gatherWhole() ?? []
        unit.end()
        for (index, whole) in wholes.enumerated() { unit.parameters[index].hold(whole) }
      }
    }
    detach()
    parameterStore?.close()
    TorchRuntime.releaseFreedMemory()
  }

  /// Ends a run. Called on all ranks.
  func finishRun() throws {
    guard isDeferred else { return try restore() }
    isKept = true
    for unit in units {
      try unit.settle()
      unit.free()
    }
    try parameterStore?.releaseBuffers()
  }

  /// Lets go of a module that stayed in parts after its run.
  func release() {
    guard isKept else { return }
    isKept = false
    abandon(
      "it is partitioned over the ranks since a run of a strategy that has run another module by now; save a checkpoint "
        + "before, and load it into a new module")
  }

  /// Leaves the module without asking the other ranks: what is partitioned cannot be read any more.
  func abandon(
    _ reason: String = "it was partitioned over the ranks in a run that failed; load a checkpoint into a new module"
  ) {
    guard isActive, !isKept else { return }
    for unit in units {
      for (index, parameter) in unit.parameters.enumerated() {
        if !unit.isInParts {
          parameter.hold(unit.leaves[index].detached())
        }
      }
    }
    let lost = units.filter(\.isInParts).flatMap(\.parameters)
    detach()
    parameterStore?.close()
    for parameter in lost {
      let name = parameter.name
      for holder in parameter.holders {
        holder.wholeShape = parameter.shape
        holder.reader = { _ in
          Tensor.failed(operation: "reading '\(name)'", message: reason)
        }
      }
    }
  }

  private func detach() {
    isActive = false
    for handle in handles { handle.remove() }
    handles = []
    for unit in units {
      for hook in unit.hooks { hook?.remove() }
      for holder in unit.parameters.flatMap(\.holders) {
        holder.reader = nil
        holder.writer = nil
        holder.gradientWasDropped = nil
        holder.offloadedGradient = nil
        holder.wholeShape = nil
      }
    }
  }
}
